#include "common/io/life_lock.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "common/io/file_lock.hpp"

namespace agentlocator {
namespace {

constexpr std::string_view suffix = ".alive";

}  // namespace

Result<LifeLock> LifeLock::take(const std::string& folder, const std::string& name) {
    std::error_code ignored;  // Said by open.
    std::filesystem::create_directories(folder, ignored);
    const std::string path = folder + "/" + name + std::string(suffix);
    for (;;) {
        if (UniqueFd fd = open_locked(path, O_CREAT, LockWait::yes)) {
            return LifeLock(path, std::move(fd));
        }
        if (errno != ESTALE) {  // Else somebody looked just then and took us for dead: once more.
            return error(Errc::io, path + ": " + std::strerror(errno));
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
        if (const UniqueFd fd = open_locked(path, 0); fd && bury(file.substr(0, file.size() - suffix.size()))) {
            ::unlink(path.c_str());
        }
    }
}

UniqueFd try_lock_file(const std::string& path) {
    return open_locked(path, O_CREAT);
}

}  // namespace agentlocator
