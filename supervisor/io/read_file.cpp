#include "supervisor/io/read_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "common/io/unique_fd.hpp"

namespace agentlocator {

std::optional<std::string> read_file(const std::string& path, std::size_t bytes_max) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd) {
        return std::nullopt;
    }
    std::string text;
    char chunk[16 * 1024];
    while (text.size() < bytes_max) {
        const auto count = ::read(fd.get(), chunk, std::min(sizeof chunk, bytes_max - text.size()));
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0 && text.empty()) {
            return std::nullopt;
        }
        if (count <= 0) {
            break;
        }
        text.append(chunk, static_cast<std::size_t>(count));
    }
    return text;
}

std::string read_link(const std::string& path) {
    char target[PATH_MAX];
    const auto length = ::readlink(path.c_str(), target, sizeof target);
    return length <= 0 ? std::string() : std::string(target, static_cast<std::size_t>(length));
}

}  // namespace agentlocator
