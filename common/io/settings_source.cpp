#include "common/io/settings_source.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <thread>

#include "common/io/unique_fd.hpp"
#include "common/result.hpp"
#include "common/setting_value.hpp"
#include "common/text.hpp"

namespace agentlocator {
namespace {

std::string environment_value(const char* name) {
    const char* value = std::getenv(name);  // Before any thread is started; nothing of ours calls setenv later.
    return value == nullptr ? std::string() : std::string(value);
}

bool exists(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

std::string parent(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

// The folder a session offers us, if it is really there and ours: after `su` the variable names another user's.
std::string session_folder() {
    std::string path = environment_value("XDG_RUNTIME_DIR");
    struct stat status {};
    const bool ours = ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == ::geteuid();
    return ours ? path : std::string();
}

Result<std::string> read_small_file(const std::string& what, const std::string& path, std::size_t bytes_max) {
    const auto failed = [&](const std::string& why) { return error(Errc::bad_config, what + " " + path + ": " + why); };
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // A FIFO must not stop the start.
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0) {
        return failed(std::strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return failed("not a regular file");
    }
    std::string text(bytes_max + 1, '\0');
    std::size_t length = 0;
    while (length < text.size()) {
        const auto count = ::read(fd.get(), text.data() + length, text.size() - length);
        if (count < 0) {
            return failed(std::strerror(errno));
        }
        if (count == 0) {
            break;
        }
        length += static_cast<std::size_t>(count);
    }
    if (length > bytes_max) {
        return failed("larger than " + std::to_string(bytes_max) + " bytes");
    }
    text.resize(length);
    return text;
}

SettingInputs environment_inputs() {
    SettingInputs inputs;
    for (const std::string_view name : setting_names()) {
        if (const char* value = std::getenv(std::string(name).c_str())) {
            inputs[std::string(name)] = {value, SettingSource::environment};
        }
    }
    return inputs;
}

// A secret may lie in a file of its own, as containers and service managers hand them in: NAME_FILE is its path. The
// later source wins, as everywhere; two answers from the same one are a fault.
void read_secret_files(SettingInputs& inputs, const SettingFacts& facts, std::vector<SettingFault>& faults) {
    for (const std::string_view secret : secret_setting_names()) {
        const std::string name = std::string(secret) + "_FILE";
        SettingInput input{environment_value(name.c_str()), SettingSource::environment};
        if (const auto found = inputs.find(name); trim(input.value).empty() && found != inputs.end()) {
            input = found->second;
        }
        const std::string path(trim(input.value));
        if (path.empty()) {
            continue;
        }
        const auto given = inputs.find(secret);
        if (given != inputs.end() && !trim(given->second.value).empty() && given->second.source >= input.source) {
            if (given->second.source == input.source) {
                faults.push_back({name, name + ": " + std::string(secret) + " is set too; delete one of them"});
            }
            continue;
        }
        const auto text = read_small_file(name, path.starts_with('/') ? path : facts.installation_root + "/" + path,
                                          setting_bytes_max);
        if (text) {
            inputs[std::string(secret)] = {*text, input.source};
        } else {
            faults.push_back({name, text.error().detail});
        }
    }
}

bool is_setting(const std::string& name) {
    const auto& names = setting_names();
    return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::string executable_folder() {
    char path[PATH_MAX];
    const auto length = ::readlink("/proc/self/exe", path, sizeof path);
    return length <= 0 ? std::string() : parent(std::string(path, static_cast<std::size_t>(length)));
}

std::string find_installation_root() {
    if (std::string root = environment_value("AGENTLOCATOR_ROOT"); root.starts_with('/')) {
        return root;
    }
    const std::string folder = executable_folder();
    // A build tree is three levels deep (build/dev/bin); one more for packagers.
    constexpr int levels_max = 4;
    std::string candidate = folder;
    for (int level = 0; level <= levels_max && candidate.size() > 1; ++level) {
        if (exists(candidate + "/start_all.sh") || exists(candidate + "/baileys-bridge")) {
            return candidate;
        }
        candidate = parent(candidate);
    }
    return folder.ends_with("/bin") ? parent(folder) : folder;
}

SettingFacts setting_facts() {
    SettingFacts facts;
    facts.cores = std::max(1U, std::thread::hardware_concurrency());
    facts.installation_root = find_installation_root();
    facts.home = environment_value("HOME");
    facts.xdg_runtime_dir = session_folder();
    facts.xdg_state_home = environment_value("XDG_STATE_HOME");
    facts.user_id = ::geteuid();
    return facts;
}

LoadedSettings load_settings(const SettingsRequest& request, const SettingFacts& facts) {
    LoadedSettings loaded;
    std::string path = request.file.value_or(environment_value("AGENTLOCATOR_ENV_FILE"));
    if (path.empty() && exists(facts.installation_root + "/.env")) {
        path = facts.installation_root + "/.env";
    }
    SettingsFile file;
    if (!path.empty()) {
        const auto text = read_small_file("settings file", path, settings_file_bytes_max);
        if (text) {
            file = parse_settings_file(*text, path);
            loaded.file = path;
        } else {
            file.faults.push_back({{}, text.error().detail});
        }
    }
    SettingInputs inputs = file.inputs;
    for (auto& [name, input] : inputs) {
        // What we tell our children about themselves is never a file's to say.
        const bool reserved =
            name.starts_with("AGENTLOCATOR_") || name.starts_with("LISTEN_") || name == "NOTIFY_SOCKET";
        if (!reserved && !is_setting(name) && std::getenv(name.c_str()) == nullptr) {
            loaded.others.push_back(name + "=" + input.value);
        }
    }
    for (const SettingInputs& later : {environment_inputs(), request.flags}) {
        for (const auto& [name, input] : later) {
            if (!trim(input.value).empty()) {  // Present and empty is not set; it hides nothing.
                inputs[name] = input;
            }
        }
    }
    std::vector<SettingFault> secret_faults;
    read_secret_files(inputs, facts, secret_faults);
    loaded.parsed = parse_settings(inputs, facts);
    auto& faults = loaded.parsed.faults;
    faults.insert(faults.begin(), std::make_move_iterator(file.faults.begin()),
                  std::make_move_iterator(file.faults.end()));
    faults.insert(faults.end(), std::make_move_iterator(secret_faults.begin()),
                  std::make_move_iterator(secret_faults.end()));
    auto& warnings = loaded.parsed.warnings;
    warnings.insert(warnings.begin(), file.warnings.begin(), file.warnings.end());
    return loaded;
}

ParsedSettings settings_from_environment(const SettingFacts& facts) {
    // A supervisor read the files of secrets already and hands on the values; a lone worker has to.
    SettingInputs inputs = environment_inputs();
    std::vector<SettingFault> faults;
    if (std::getenv("AGENTLOCATOR_INSTANCE") == nullptr) {
        read_secret_files(inputs, facts, faults);
    }
    ParsedSettings parsed = parse_settings(inputs, facts);
    parsed.faults.insert(parsed.faults.end(), std::make_move_iterator(faults.begin()),
                         std::make_move_iterator(faults.end()));
    return parsed;
}

}  // namespace agentlocator
