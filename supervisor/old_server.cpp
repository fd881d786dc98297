#include "supervisor/old_server.hpp"

#include <algorithm>
#include <array>

#include "common/text.hpp"

namespace agentlocator {
namespace {

constexpr std::string_view package_folder = "AgentLocator";  // The checkout inside the project, in the seed's layout.

std::string_view base_name(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// "python", "python3", "python3.11": nothing else that begins so.
bool is_python(std::string_view program) {
    constexpr std::string_view word = "python";
    if (!program.starts_with(word)) {
        return false;
    }
    const std::string_view version = program.substr(word.size());
    return std::all_of(version.begin(), version.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

template <std::size_t size>
bool is_one_of(std::string_view text, const std::array<std::string_view, size>& words) {
    return std::find(words.begin(), words.end(), text) != words.end();
}

// What an interpreter was told to run: a script, or a module given by -m. Options of python, node and shells that take
// a separate argument are few; an unknown one makes no match, never a wrong one.
struct Invocation {
    std::string_view script;
    std::string_view module;
    std::size_t arguments = 0;  // Index of the first argument after it.
};

std::optional<Invocation> read_invocation(const std::vector<std::string>& argv) {
    constexpr std::array<std::string_view, 4> with_argument{"-X", "-W", "-r", "--require"};
    for (std::size_t i = 1; i < argv.size(); ++i) {
        const std::string_view word = argv[i];
        if (!word.starts_with('-')) {
            return word.empty() ? std::nullopt : std::optional(Invocation{word, {}, i + 1});
        }
        if (word == "-m") {
            return i + 1 < argv.size() ? std::optional(Invocation{{}, argv[i + 1], i + 2}) : std::nullopt;
        }
        if (word == "-" || word == "-c" || word == "-e" || word == "-p") {
            return std::nullopt;  // Code on the command line or stdin.
        }
        i += is_one_of(word, with_argument) ? 1U : 0U;
    }
    return std::nullopt;
}

bool is_application(std::string_view target) {
    constexpr std::array<std::string_view, 4> targets{"main:app", "AgentLocator.main:app", "wsgi:app",
                                                      "AgentLocator.wsgi:app"};
    return is_one_of(target, targets);
}

bool is_asgi_application(std::string_view target) {
    constexpr std::array<std::string_view, 3> targets{"asgi:app", "AgentLocator.asgi:app", "main:app"};
    return is_one_of(target, targets);
}

std::optional<std::string> find_target(const std::vector<std::string>& argv, std::size_t first,
                                       bool (*wanted)(std::string_view)) {
    for (std::size_t i = first; i < argv.size(); ++i) {
        if (wanted(argv[i])) {
            return argv[i];
        }
    }
    return std::nullopt;
}

bool is_server_folder(std::string_view cwd, const Installation& installation) {
    return cwd == installation.root || cwd == resolve_path(installation.root, package_folder);
}

// With setproctitle a gunicorn writes over its command line: "gunicorn: master [main:app]" and nothing more.
std::optional<std::string> match_gunicorn_title(const ProcessView& process) {
    if (process.argv.empty()) {
        return std::nullopt;
    }
    std::string_view title = trim(process.argv[0]);
    for (const std::string_view role : {"gunicorn: master [", "gunicorn: worker ["}) {
        if (title.starts_with(role) && title.ends_with(']')) {
            title = title.substr(role.size(), title.size() - role.size() - 1);
            return is_application(title) ? std::optional("gunicorn " + std::string(title)) : std::nullopt;
        }
    }
    return std::nullopt;
}

std::optional<std::string> match_python_server(const ProcessView& process, const Installation& installation) {
    if (!is_server_folder(process.cwd, installation)) {
        return std::nullopt;
    }
    if (auto title = match_gunicorn_title(process)) {
        return title;
    }
    const std::string_view program = process.argv.empty() ? std::string_view() : base_name(process.argv[0]);
    std::string_view server = program;
    std::size_t arguments = 1;
    if (is_python(program)) {
        const auto run = read_invocation(process.argv);
        if (!run) {
            return std::nullopt;
        }
        const std::string script = resolve_path(process.cwd, run->script);
        const bool is_main =
            !run->script.empty() && (script == resolve_path(installation.root, "main.py") ||
                                     script == resolve_path(installation.root, "AgentLocator/main.py"));
        if (is_main || run->module == "main" || run->module == "AgentLocator.main") {
            return "python main.py";
        }
        server = run->module.empty() ? base_name(run->script) : run->module;
        arguments = run->arguments;
    }
    if (server == "gunicorn") {
        if (auto target = find_target(process.argv, arguments, is_application)) {
            return "gunicorn " + *target;
        }
    }
    if (server == "uvicorn") {
        if (auto target = find_target(process.argv, arguments, is_asgi_application)) {
            return "uvicorn " + *target;
        }
    }
    return std::nullopt;
}

std::optional<std::string> match_bridge(const ProcessView& process, const Installation& installation) {
    constexpr std::array<std::string_view, 2> interpreters{"node", "nodejs"};
    if (process.argv.empty() || !is_one_of(base_name(process.argv[0]), interpreters)) {
        return std::nullopt;
    }
    const auto run = read_invocation(process.argv);
    if (!run || run->script.empty()) {
        return std::nullopt;
    }
    struct Place {
        std::string folder;
        std::string_view script;
    };
    const Place places[] = {
        {installation.bridge_dir, "index.js"},
        {resolve_path(installation.root, "baileys-bridge"), "index.js"},
        {resolve_path(installation.root, "AgentLocator/baileys-bridge"), "index.js"},
        {resolve_path(installation.root, "services/whatsapp"), "baileys_service.js"},
    };
    for (const Place& place : places) {
        if (!place.folder.empty() && process.cwd == place.folder &&
            resolve_path(process.cwd, run->script) == resolve_path(place.folder, place.script)) {
            return "node " + std::string(place.script) + " in " + std::string(base_name(place.folder));
        }
    }
    return std::nullopt;
}

}  // namespace

std::string resolve_path(std::string_view folder, std::string_view path) {
    std::vector<std::string_view> parts;
    const auto walk = [&](std::string_view text) {
        for (const std::string_view part : split(text, '/')) {
            if (part.empty() || part == ".") {
                continue;
            }
            if (part != "..") {
                parts.push_back(part);
            } else if (parts.empty()) {
                return false;
            } else {
                parts.pop_back();
            }
        }
        return true;
    };
    if ((!path.starts_with('/') && !walk(folder)) || !walk(path)) {
        return {};
    }
    std::string out;
    for (const std::string_view part : parts) {
        out += "/" + std::string(part);
    }
    return out;
}

std::optional<std::string> match_old_server(const ProcessView& process, const Installation& installation) {
    // An empty root would make every folder below "/" ours.
    if (installation.root.empty() || installation.root == "/" || process.cwd.empty()) {
        return std::nullopt;
    }
    if (auto server = match_python_server(process, installation)) {
        return server;
    }
    return match_bridge(process, installation);
}

std::optional<std::string> match_old_launcher(const ProcessView& process, const Installation& installation) {
    constexpr std::array<std::string_view, 3> shells{"bash", "sh", "dash"};
    if (installation.root.empty() || installation.root == "/" || process.argv.empty() ||
        !is_one_of(base_name(process.argv[0]), shells)) {
        return std::nullopt;
    }
    const auto run = read_invocation(process.argv);
    if (!run || run->script.empty()) {
        return std::nullopt;
    }
    const std::string script = resolve_path(process.cwd, run->script);
    for (const std::string_view known :
         {"start_all.sh", "AgentLocator/start_all.sh", "start_production.sh", "AgentLocator/start_production.sh"}) {
        if (script == resolve_path(installation.root, known)) {
            return "launcher " + std::string(known);
        }
    }
    return std::nullopt;
}

}  // namespace agentlocator
