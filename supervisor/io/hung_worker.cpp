#include "supervisor/io/hung_worker.hpp"

#include <dirent.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "common/io/socket_count.hpp"
#include "common/text.hpp"

// Headers of Debian 12 name it; older ones do not.
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

namespace agentlocator {
namespace {

std::string why(const char* what) {
    const int number = errno;
    std::string text = std::string(what) + ": " + std::generic_category().message(number);
    return number == EPERM || number == EACCES ? text + " (kernel.yama.ptrace_scope, or a sandbox)" : text;
}

int socket_option(int fd, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

bool is_tcp(int fd) {
    const int domain = socket_option(fd, SO_DOMAIN);
    return (domain == AF_INET || domain == AF_INET6) && socket_option(fd, SO_TYPE) == SOCK_STREAM;
}

bool is_slab(int fd) {
    struct stat facts {};
    std::array<std::uint64_t, 2> head{};
    static_assert(offsetof(CallSlab, magic) == 0 && offsetof(CallSlab, layout) == sizeof(std::uint64_t));
    return ::fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) &&
           static_cast<std::uint64_t>(facts.st_size) == slab_file_bytes &&
           ::pread(fd, head.data(), sizeof head, 0) == static_cast<ssize_t>(sizeof head) &&
           head[0] == CallSlab::magic_value && head[1] == control_layout();
}

// For fault tests: a kernel or a sandbox that does not let us.
int pidfd_getfd(const UniqueFd& pidfd, std::int64_t number) {
#ifdef AGENTLOCATOR_CRASH_POINTS
    if (std::getenv("AGENTLOCATOR_NO_PIDFD_GETFD") != nullptr) {
        errno = EPERM;
        return -1;
    }
#endif
    return static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd.get(), static_cast<int>(number), 0U));
}

void sort_in(UniqueFd fd, TakenDescriptors& taken) {
    if (is_slab(fd.get())) {
        taken.slab = std::move(fd);
    } else if (is_tcp(fd.get())) {
        if (socket_option(fd.get(), SO_ACCEPTCONN) == 1) {
            taken.listener = std::move(fd);
        } else if (const std::uint64_t cookie = socket_cookie(fd.get()); cookie != 0) {
            taken.sockets.insert_or_assign(cookie, std::move(fd));
        }
    }
}

}  // namespace

TakenDescriptors take_descriptors(std::int64_t pid, const UniqueFd& pidfd) {
    TakenDescriptors taken;
    const std::unique_ptr<DIR, int (*)(DIR*)> open_ones(::opendir(("/proc/" + std::to_string(pid) + "/fd").c_str()),
                                                        ::closedir);
    if (!open_ones) {
        taken.problem = why("its descriptors cannot be listed");
        return taken;
    }
    while (const dirent* const entry = ::readdir(open_ones.get())) {
        const auto number = parse_integer(entry->d_name);
        if (!number) {
            continue;  // The folder itself.
        }
        UniqueFd fd(pidfd_getfd(pidfd, *number));
        if (fd) {
            sort_in(std::move(fd), taken);
        } else if (errno != EBADF) {  // Closed since it was listed: a loop may hang and still do that.
            taken.problem = why("pidfd_getfd");
        }
    }
    return taken;
}

std::vector<Adoption::Kept> calls_among(const CallSlab& slab, std::map<std::uint64_t, UniqueFd> sockets) {
    std::vector<Adoption::Kept> calls;
    for (std::uint32_t slot = 0; slot < call_slots_max; ++slot) {
        const std::uint64_t call = slab.directory[slot].call.load();
        if (call == 0 || slab.marks[slot].call.load() != call) {
            continue;
        }
        const auto found = sockets.find(slab.marks[slot].cookie.load());
        if (found != sockets.end() && found->second) {
            calls.push_back({slot, call, std::move(found->second)});
        }
    }
    return calls;
}

}  // namespace agentlocator
