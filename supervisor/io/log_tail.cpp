#include "supervisor/io/log_tail.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "common/io/unique_fd.hpp"

namespace agentlocator {

std::optional<std::string> read_log_tail(const std::string& path, std::uint32_t lines) {
    constexpr off_t bytes_max = 8 * 1024 * 1024;  // Longer lines than anybody reads at a prompt.
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
        return std::nullopt;
    }
    std::string text(static_cast<std::size_t>(std::min(status.st_size, bytes_max)), '\0');
    const auto count = ::pread(fd.get(), text.data(), text.size(), status.st_size - static_cast<off_t>(text.size()));
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    std::size_t begin = text.size();
    for (std::uint32_t left = lines; left > 0 && begin > 0; --left) {
        const auto newline = begin < 2 ? std::string::npos : text.rfind('\n', begin - 2);
        begin = newline == std::string::npos ? 0 : newline + 1;
    }
    return text.substr(begin);
}

}  // namespace agentlocator
