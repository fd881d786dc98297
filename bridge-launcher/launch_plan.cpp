#include "bridge-launcher/launch_plan.hpp"

#include <algorithm>
#include <array>

#include "common/text.hpp"

namespace agentlocator {
namespace {

// Needed by any program that talks to the network: who we are, where things are, which proxy and certificates.
constexpr std::array basic_names{
    "PATH",        "HOME",       "USER",       "LOGNAME",       "LANG",         "TERM",
    "TMPDIR",      "HTTP_PROXY", "http_proxy", "NO_PROXY",      "no_proxy",     "HTTPS_PROXY",
    "https_proxy", "ALL_PROXY",  "all_proxy",  "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"};
constexpr std::array basic_prefixes{"LC_", "XDG_", "AGENTLOCATOR_"};

// What the bridge is told on top. An allow-list: the bridge runs other people's packages, which have no business with
// Twilio's token, the providers' keys or the database.
constexpr std::array bridge_names{"INTERNAL_SECRET", "PUBLIC_BASE_URL", "BACKEND_BASE_URL", "PORT"};
constexpr std::array bridge_prefixes{"BAILEYS_", "WA_", "WHATSAPP_", "NODE_"};

constexpr std::array npm_prefixes{"npm_config_", "NPM_CONFIG_"};

std::string_view name_of(std::string_view entry) {
    return entry.substr(0, entry.find('='));
}

template <class Names>
bool is_one_of(std::string_view name, const Names& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

template <class Prefixes>
bool begins_with_one_of(std::string_view name, const Prefixes& prefixes) {
    return std::any_of(prefixes.begin(), prefixes.end(), [&](std::string_view p) { return name.starts_with(p); });
}

bool is_basic(std::string_view name) {
    return is_one_of(name, basic_names) || begins_with_one_of(name, basic_prefixes);
}

// Replaces NAME, or adds it.
void set(std::vector<std::string>& environment, std::string_view name, std::string_view value) {
    std::erase_if(environment, [&](std::string_view entry) { return name_of(entry) == name; });
    environment.push_back(std::string(name).append("=").append(value));
}

std::string joined(const std::vector<std::string>& parts, std::string_view by) {
    std::string text;
    for (const std::string& part : parts) {
        text.append(text.empty() ? "" : by).append(part);
    }
    return text;
}

std::string folder_of(std::string_view path) {
    return std::string(path.substr(0, path.rfind('/')));
}

std::vector<std::string> bridge_environment(const std::vector<std::string>& given) {
    std::vector<std::string> environment;
    for (const std::string& entry : given) {
        const std::string_view name = name_of(entry);
        if (is_basic(name) || is_one_of(name, bridge_names) || begins_with_one_of(name, bridge_prefixes)) {
            environment.push_back(entry);
        }
    }
    if (environment_value(environment, "NODE_ENV").empty()) {
        set(environment, "NODE_ENV", "production");
    }
    set(environment, "TZ", "UTC");  // F-45: a clock that looks skewed breaks pairing.
    return environment;
}

LaunchProblem no_folder(const LaunchFacts& facts) {
    std::vector<std::string> looked;
    for (const FolderFacts& folder : facts.folders) {
        looked.push_back(folder.path);
    }
    if (!facts.bridge_dir.empty()) {
        return {"BRIDGE_DIR=" + facts.bridge_dir + " is no folder (" + joined(looked, ", ") + ")",
                "correct BRIDGE_DIR, or delete it to use the bridge beside the installation"};
    }
    return {"the WhatsApp bridge's folder was not found; looked for " + joined(looked, ", "),
            "set BRIDGE_DIR to the bridge's folder, or ENABLE_WA_BAILEYS=false if there is to be none"};
}

LaunchProblem no_node(const LaunchFacts& facts) {
    const std::string remedy = "install Node " + std::to_string(node_major_min) +
                               " or newer (./start_all.sh --with-node fetches one), then: agentlocator restart bridge";
    if (facts.nodes.empty()) {
        return {"node was not found; looked in " + joined(facts.looked_in, ", "), remedy};
    }
    std::vector<std::string> found;
    for (const NodeFacts& node : facts.nodes) {
        found.push_back(node.path + (node.version.empty() ? " (does not run)" : " (" + node.version + ")"));
    }
    return {"the bridge needs Node " + std::to_string(node_major_min) + " or newer; found " + joined(found, ", "),
            remedy};
}

}  // namespace

std::string_view environment_value(const std::vector<std::string>& environment, std::string_view name) {
    std::string_view value;
    for (const std::string_view entry : environment) {
        if (entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name)) {
            value = entry.substr(name.size() + 1);
        }
    }
    return value;
}

std::vector<std::string> bridge_folders(std::string_view bridge_dir, std::string_view root) {
    const std::string base = root == "/" ? "" : std::string(root);
    if (!bridge_dir.empty()) {
        return {bridge_dir.starts_with('/') ? std::string(bridge_dir) : base + "/" + std::string(bridge_dir)};
    }
    std::vector<std::string> folders{base + "/baileys-bridge", base + "/AgentLocator/baileys-bridge"};
    // The folder above belongs to us only if we are its AgentLocator/: anybody may own /tmp/baileys-bridge.
    if (base.ends_with("/AgentLocator")) {
        folders.push_back(folder_of(base) + "/baileys-bridge");
    }
    return folders;
}

std::vector<std::string> node_places(std::string_view path_variable, std::string_view root) {
    std::vector<std::string> places;
    const auto add = [&](std::string_view place) {
        if (place.starts_with('/') && std::find(places.begin(), places.end(), place) == places.end()) {
            places.emplace_back(place);
        }
    };
    for (const std::string_view place : split(path_variable, ':')) {
        add(place);  // A relative folder in PATH means another program in every working directory: left out.
    }
    for (const std::string_view place : {"/usr/local/bin", "/usr/bin", "/opt/node/bin"}) {
        add(place);
    }
    add((root == "/" ? "" : std::string(root)) + "/build/node/bin");
    return places;
}

std::optional<int> node_major(std::string_view version) {
    version = trim(version);
    if (!version.starts_with('v')) {
        return std::nullopt;
    }
    const auto major = parse_integer(version.substr(1, version.find('.') - 1));
    if (!major || *major < 0 || *major > 9999) {
        return std::nullopt;
    }
    return static_cast<int>(*major);
}

std::variant<LaunchPlan, LaunchProblem> plan_launch(const LaunchFacts& facts) {
    const auto folder =
        std::find_if(facts.folders.begin(), facts.folders.end(), [](const auto& f) { return f.exists; });
    if (folder == facts.folders.end()) {
        return no_folder(facts);
    }
    if (!folder->missing.empty()) {
        return LaunchProblem{folder->path + " has no " + joined(folder->missing, ", no "),
                             "restore the bridge's files, or point BRIDGE_DIR at a folder that has them"};
    }
    for (const NodeFacts& node : facts.nodes) {
        const auto major = node_major(node.version);
        if (major && *major >= node_major_min) {
            return LaunchPlan{.directory = folder->path,
                              .node = node.path,
                              .node_major = *major,
                              .argv = {node.path, "index.js"},
                              .environment = bridge_environment(facts.environment)};
        }
    }
    return no_node(facts);
}

std::vector<std::string> install_environment(const LaunchPlan& plan, const std::vector<std::string>& given) {
    std::vector<std::string> environment;
    for (const std::string& entry : given) {
        const std::string_view name = name_of(entry);
        if (is_basic(name) || begins_with_one_of(name, npm_prefixes)) {
            environment.push_back(entry);
        }
    }
    // npm is a script for "node": it must find the one that will run the bridge, for packages are built against it.
    const std::string path(environment_value(environment, "PATH"));
    set(environment, "PATH", folder_of(plan.node) + (path.empty() ? "" : ":" + path));
    set(environment, "TZ", "UTC");
    set(environment, "NO_COLOR", "1");
    set(environment, "npm_config_update_notifier", "false");
    return environment;
}

}  // namespace agentlocator
