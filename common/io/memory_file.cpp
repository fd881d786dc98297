#include "common/io/memory_file.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace agentlocator {

UniqueFd write_memory_file(const char* name, std::span<const std::uint8_t> bytes) {
    UniqueFd file(::memfd_create(name, MFD_CLOEXEC));
    for (std::size_t at = 0; file && at < bytes.size();) {
        const ssize_t written = ::pwrite(file.get(), bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
        if (written <= 0) {
            return {};
        }
        at += static_cast<std::size_t>(written);
    }
    return file;
}

Result<std::vector<std::uint8_t>> read_memory_file(int fd, std::size_t bytes_max) {
    struct stat facts {};
    if (::fstat(fd, &facts) != 0) {
        return error(Errc::io, "a memory file: " + std::generic_category().message(errno));
    }
    if (static_cast<std::uint64_t>(facts.st_size) > bytes_max) {
        return error(Errc::too_large, "a memory file of " + std::to_string(facts.st_size) + " bytes");
    }
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(facts.st_size));
    for (std::size_t at = 0; at < bytes.size();) {
        const ssize_t taken = ::pread(fd, bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
        if (taken <= 0) {
            return error(Errc::io, "a memory file that ends too early");
        }
        at += static_cast<std::size_t>(taken);
    }
    return bytes;
}

}  // namespace agentlocator
