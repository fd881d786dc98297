#include "supervisor/io/instance_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "supervisor/io/process_table.hpp"
#include "supervisor/io/read_file.hpp"
#include "supervisor/proc_text.hpp"

namespace agentlocator {
namespace {

Error bad_file(const std::string& path, const std::string& what) {
    return error(Errc::refused, "lock file " + path + " " + what +
                                    "; remove it, or set AGENTLOCATOR_LOCK to a path in a folder of your own");
}

std::string open_problem(int number) {
    switch (number) {
        case ELOOP:
            return "is a symbolic link";
        case EISDIR:
            return "is a folder";
        case EACCES:
        case EPERM:
            return "may not be opened by this user";
        case ENOENT:
        case ENOTDIR:
            return "cannot be created: its folder does not exist";
        case ENXIO:
        case ENODEV:
            return "is not a regular file";
        default:
            return std::string("cannot be opened: ") + std::strerror(number);
    }
}

// Without O_CREAT first: with fs.protected_regular a kernel refuses O_CREAT on another user's file in /tmp with
// EACCES, which would hide whose it is (proc(5)).
Result<UniqueFd> open_lock_file(const std::string& path) {
    constexpr int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    constexpr int attempts_max = 100;  // Somebody creates and removes it between our two calls, again and again.
    for (int attempt = 0; attempt < attempts_max; ++attempt) {
        UniqueFd fd(::open(path.c_str(), flags));
        if (!fd && errno == ENOENT) {
            fd.reset(::open(path.c_str(), flags | O_CREAT | O_EXCL, 0600));
            if (!fd && errno == EEXIST) {
                struct stat status {};
                if (::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode)) {
                    return bad_file(path, open_problem(ELOOP));
                }
                continue;
            }
        }
        if (!fd) {
            return bad_file(path, open_problem(errno));
        }
        return fd;
    }
    return bad_file(path, "is created and removed all the time by somebody else");
}

// Nothing is written into a file that somebody else put there, or that is more than a lock.
std::optional<Error> inspect(const std::string& path, int fd) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) {
        return bad_file(path, open_problem(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return bad_file(path, "is not a regular file");
    }
    if (status.st_uid != ::geteuid()) {
        return bad_file(path, "belongs to user " + user_name(status.st_uid) + ", not to " + user_name(::geteuid()));
    }
    if (status.st_nlink > 1) {
        return bad_file(path, "has a second name (a hard link): writing to it would change another file");
    }
    return std::nullopt;
}

std::string read_content(int fd) {
    std::string text(lock_record_bytes_max, '\0');
    const auto count = ::pread(fd, text.data(), text.size(), 0);
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return text;
}

bool is_still_at(const std::string& path, int fd) {
    struct stat mine {};
    struct stat named {};
    return ::fstat(fd, &mine) == 0 && ::lstat(path.c_str(), &named) == 0 && mine.st_ino == named.st_ino &&
           mine.st_dev == named.st_dev;
}

bool is_living(const LockRecord& record) {
    return record.boot_id == read_boot_id() && is_alive(record.pid, record.start_ticks);
}

// The loser may look between the winner's lock and its write: then the record is still the previous holder's.
LockAttempt identify_holder(int fd) {
    constexpr auto pause = std::chrono::milliseconds(5);
    constexpr int looks_max = 40;  // 200 ms: a winner writes within microseconds unless the machine is stalled.
    LockAttempt attempt;
    for (int look = 0; look < looks_max; ++look) {
        auto record = parse_lock_record(read_content(fd));
        if (record && is_living(*record)) {
            attempt.holder_pid = record->pid;
            attempt.other = std::move(record);
            return attempt;
        }
        std::this_thread::sleep_for(pause);
    }
    struct stat status {};
    if (::fstat(fd, &status) == 0) {
        attempt.holder_pid = parse_flock_holder(read_file("/proc/locks").value_or(""), status.st_ino).value_or(0);
    }
    return attempt;
}

}  // namespace

bool write_lock_record(int fd, const LockRecord& record) {
    const std::string text = encode_lock_record(record);
    // Longer first, then cut: a reader never finds an empty file.
    return ::pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()) &&
           ::ftruncate(fd, static_cast<off_t>(text.size())) == 0;
}

Result<LockAttempt> keep_lock(UniqueFd held, const LockRecord& self) {
    (void)write_lock_record(held.get(), self);
    LockAttempt attempt;
    attempt.held = std::move(held);
    return attempt;
}

Result<LockAttempt> try_lock(const std::string& path, const LockRecord& self) {
    constexpr int attempts_max = 100;
    for (int count = 0; count < attempts_max; ++count) {
        auto fd = open_lock_file(path);
        if (!fd) {
            return fd.error();
        }
        if (auto problem = inspect(path, fd->get())) {
            return *problem;
        }
        if (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK) {
                return bad_file(path, std::string("cannot be locked: ") + std::strerror(errno));
            }
            return identify_holder(fd->get());
        }
        if (!is_still_at(path, fd->get())) {
            continue;  // Removed or replaced between open and lock: what we hold is nobody's name any more.
        }
        const std::string content = read_content(fd->get());
        if (!is_lock_content(content)) {
            return bad_file(path, "holds something that is not a lock record");
        }
        LockAttempt attempt;
        attempt.other = parse_lock_record(content);
        if (::fchmod(fd->get(), 0600) != 0 || !write_lock_record(fd->get(), self)) {
            return error(Errc::io, "lock file " + path + " cannot be written: " + std::strerror(errno) +
                                       "; free some space, or set AGENTLOCATOR_LOCK to a path on another disk");
        }
        attempt.held = std::move(*fd);
        return attempt;
    }
    return bad_file(path, "is replaced all the time by somebody else");
}

std::string describe_holder(const std::string& path, const LockAttempt& attempt) {
    std::string holder = "a process that cannot be seen from here";
    if (attempt.other) {
        holder = describe(*attempt.other);
    } else if (attempt.holder_pid > 0) {
        holder = "pid " + std::to_string(attempt.holder_pid) + ", which wrote no record";
    }
    return "another supervisor holds the lock " + path + ": " + holder +
           "; end it with `agentlocator stop`, or set AGENTLOCATOR_LOCK, AGENTLOCATOR_RUNTIME_DIR and PORT to run a "
           "second one beside it";
}

std::optional<LockRecord> read_lock_record(const std::string& path) {
    struct stat status {};
    const bool trusted = ::lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
                         (status.st_uid == ::geteuid() || status.st_uid == 0 || ::geteuid() == 0);
    const auto text = trusted ? read_file(path, lock_record_bytes_max) : std::nullopt;
    return text ? parse_lock_record(*text) : std::nullopt;
}

std::optional<LockRecord> find_lock_holder(const std::string& path) {
    auto record = read_lock_record(path);
    return record && is_living(*record) ? record : std::nullopt;
}

}  // namespace agentlocator
