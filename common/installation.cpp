#include "common/installation.hpp"

namespace agentlocator {
namespace {

std::string_view parent(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

std::string_view last_part(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace

std::string installation_root(std::string_view program) {
    std::string_view folder = parent(program);
    if (last_part(folder) == "bin") {
        folder = parent(folder);
        if (last_part(parent(folder)) == "build") {
            folder = parent(parent(folder));
        }
    }
    return folder.empty() ? "/" : std::string(folder);
}

}  // namespace agentlocator
