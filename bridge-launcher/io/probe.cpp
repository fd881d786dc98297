#include "bridge-launcher/io/probe.hpp"

#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "common/installation.hpp"
#include "common/text.hpp"

namespace agentlocator {
namespace {

namespace fs = std::filesystem;

// Baileys' lock file has 100 KB. What is bigger than this is no lock file.
constexpr std::size_t lock_file_bytes_max = 16 * 1024 * 1024;

// Node answers in 40 ms; a cold disk on a loaded machine has been seen to take seconds.
constexpr auto version_deadline = 20s;

std::string read_up_to(const std::string& path, std::size_t bytes_max) {
    std::ifstream file(path, std::ios::binary);
    std::string text(bytes_max, '\0');
    file.read(text.data(), static_cast<std::streamsize>(bytes_max));
    text.resize(static_cast<std::size_t>(file.gcount()));
    return text;
}

bool is_program(const std::string& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
}

FolderFacts look_at(const std::string& path) {
    std::error_code ignored;
    FolderFacts facts{.path = path, .exists = fs::is_directory(path, ignored), .missing = {}};
    for (const char* name : bridge_files) {
        if (facts.exists && !fs::is_regular_file(path + "/" + name, ignored)) {
            facts.missing.emplace_back(name);
        }
    }
    return facts;
}

std::string ask_version(const std::string& node, const std::vector<std::string>& environment, StopSignal& stop) {
    std::string answer;
    const RunOutcome outcome = run_program({.argv = {node, "--version"},
                                            .environment = environment,
                                            .directory = "/",
                                            .deadline = version_deadline,
                                            .on_line =
                                                [&](std::string_view line) {
                                                    if (answer.empty()) {
                                                        answer = std::string(trim(line.substr(0, 64)));
                                                    }
                                                }},
                                           stop);
    return outcome.kind == RunOutcome::Kind::exited && outcome.code == 0 ? answer : "";
}

}  // namespace

LaunchFacts gather_launch_facts(std::vector<std::string> environment, StopSignal& stop) {
    std::error_code ignored;
    const std::string root = installation_root(fs::read_symlink("/proc/self/exe", ignored).string());
    LaunchFacts facts;
    facts.bridge_dir = environment_value(environment, "BRIDGE_DIR");
    for (const std::string& path : bridge_folders(facts.bridge_dir, root)) {
        facts.folders.push_back(look_at(path));
    }
    facts.looked_in = node_places(environment_value(environment, "PATH"), root);
    for (const std::string& place : facts.looked_in) {
        const std::string path = place + "/node";
        if (!is_program(path)) {
            continue;
        }
        facts.nodes.push_back({.path = path, .version = ask_version(path, environment, stop)});
        if (stop.arrived() || node_major(facts.nodes.back().version).value_or(0) >= node_major_min) {
            break;
        }
    }
    facts.environment = std::move(environment);
    return facts;
}

ModulesFacts gather_modules_facts(const std::string& folder) {
    std::error_code ignored;
    const std::string modules = modules_path(folder);
    return {.exists = fs::exists(modules, ignored),
            .npm_finished = fs::exists(modules + "/.package-lock.json", ignored),
            .stamp = std::string(trim(read_up_to(stamp_path(folder), 256))),
            .previous_exists = fs::exists(previous_path(folder), ignored)};
}

Result<std::string> wanted_stamp(const std::string& folder, int node_major) {
    const std::string path = folder + "/package-lock.json";
    const std::string text = read_up_to(path, lock_file_bytes_max + 1);
    if (text.empty() || text.size() > lock_file_bytes_max) {
        return error(text.empty() ? Errc::io : Errc::too_large, path + " cannot be read, is empty, or is no lock file");
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
        return error(Errc::io, "SHA-256 is not available");
    }
    return install_stamp(hex(digest.data(), size), node_major);
}

std::string find_npm(const std::string& node, const std::vector<std::string>& places) {
    const std::string beside = node.substr(0, node.rfind('/')) + "/npm";
    if (is_program(beside)) {
        return beside;
    }
    for (const std::string& place : places) {
        if (is_program(place + "/npm")) {
            return place + "/npm";
        }
    }
    return {};
}

std::string modules_path(const std::string& folder) {
    return folder + "/node_modules";
}
std::string previous_path(const std::string& folder) {
    return folder + "/.node_modules.previous";
}
std::string stamp_path(const std::string& folder) {
    return modules_path(folder) + "/.agentlocator-installed";
}

}  // namespace agentlocator
