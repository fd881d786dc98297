#include "common/io/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

namespace agentlocator {
namespace {

constexpr mode_t ours_alone = S_IRUSR | S_IWUSR;

bool has_name(const UniqueFd& fd, const std::string& path) {
    struct stat opened {};
    struct stat named {};
    return ::fstat(fd.get(), &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
           opened.st_dev == named.st_dev;
}

}  // namespace

UniqueFd open_locked(const std::string& path, int flags, LockWait wait) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | flags, ours_alone));
    if (!fd) {
        return {};
    }
    while (::flock(fd.get(), wait == LockWait::yes ? LOCK_EX : LOCK_EX | LOCK_NB) != 0) {
        if (errno != EINTR) {
            return {};
        }
    }
    if (!has_name(fd, path)) {
        errno = ESTALE;
        return {};
    }
    return fd;
}

}  // namespace agentlocator
