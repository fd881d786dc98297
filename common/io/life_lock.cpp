#include "common/io/life_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace agentlocator {
namespace {

constexpr std::string_view suffix = ".alive";
constexpr mode_t ours_alone = S_IRUSR | S_IWUSR;

// Between open and lock another may have taken the file away: then the name is gone, or another file's.
bool is_still_there(const UniqueFd& fd, const std::string& path) {
    struct stat opened {};
    struct stat named {};
    return ::fstat(fd.get(), &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
           opened.st_dev == named.st_dev;
}

}  // namespace

Result<LifeLock> LifeLock::take(const std::string& folder, const std::string& name) {
    std::error_code ignored;  // Said by open.
    std::filesystem::create_directories(folder, ignored);
    const std::string path = folder + "/" + name + std::string(suffix);
    for (;;) {
        UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, ours_alone));
        if (!fd || (::flock(fd.get(), LOCK_EX) != 0 && errno != EINTR)) {
            return error(Errc::io, path + ": " + std::strerror(errno));
        }
        if (is_still_there(fd, path)) {  // Else somebody looked just then and took us for dead: once more.
            return LifeLock(path, std::move(fd));
        }
    }
}

LifeLock::~LifeLock() {
    if (fd_) {
        ::unlink(path_.c_str());
    }
}

void LifeLock::for_each_dead(const std::string& folder, const std::function<bool(const std::string& name)>& bury) {
    std::error_code fault;
    for (std::filesystem::directory_iterator entry(folder, fault), end; !fault && entry != end;
         entry.increment(fault)) {
        const std::string path = entry->path().string();
        const std::string file = entry->path().filename().string();
        if (!file.ends_with(suffix)) {
            continue;
        }
        const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
        if (fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0 && is_still_there(fd, path) &&
            bury(file.substr(0, file.size() - suffix.size()))) {
            ::unlink(path.c_str());
        }
    }
}

UniqueFd try_lock_file(const std::string& path) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, ours_alone));
    if (fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        fd.reset();
    }
    return fd;
}

}  // namespace agentlocator
