#pragma once
// Proof of life: a file that its process keeps locked. The kernel drops the lock in the instant the process dies,
// however it dies, so that others on this machine know at once what a lease by the clock tells them a minute later.
#include <functional>
#include <string>

#include "common/io/unique_fd.hpp"
#include "common/result.hpp"

namespace agentlocator {

class LifeLock {
public:
    // FOLDER/NAME.alive, made where it is missing. `name` is unique to this process.
    [[nodiscard]] static Result<LifeLock> take(const std::string& folder, const std::string& name);
    LifeLock(LifeLock&&) = default;
    LifeLock& operator=(LifeLock&&) = delete;
    ~LifeLock();  // The file goes before the lock.

    // Calls `bury` for each name whose process is dead; the file goes when it says true. One process at a time buries.
    static void for_each_dead(const std::string& folder, const std::function<bool(const std::string& name)>& bury);

private:
    LifeLock(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
    std::string path_;
    UniqueFd fd_;
};

// A lock on a file that one process of all may hold. Nothing: another has it, or the file cannot be made.
[[nodiscard]] UniqueFd try_lock_file(const std::string& path);

}  // namespace agentlocator
