#include "supervisor/io/self_exec.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "common/text.hpp"
#include "supervisor/io/read_file.hpp"
#include "supervisor/proc_text.hpp"

extern char** environ;

namespace agentlocator {
namespace {

std::vector<int> descriptors(const Inheritance& document) {
    std::vector<int> list;
    for (const int fd : {document.lock, document.listener, document.slab, document.old_program, document.old_worker}) {
        if (fd >= 0) {
            list.push_back(fd);
        }
    }
    for (const KeptSocket& socket : document.sockets) {
        list.push_back(socket.fd);
    }
    return list;
}

bool set_close_on_exec(const std::vector<int>& list, bool on) {
    bool all = true;
    for (const int fd : list) {
        all = ::fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) == 0 && all;
    }
    return all;
}

Error system_error(const std::string& what) {
    return error(Errc::io, what + ": " + std::generic_category().message(errno));
}

std::string read_all(int fd) {
    std::string text;
    std::array<char, 65536> buffer;
    for (off_t at = 0;;) {
        const auto count = ::pread(fd, buffer.data(), buffer.size(), at);
        if (count <= 0) {
            return text;
        }
        text.append(buffer.data(), static_cast<std::size_t>(count));
        at += count;
    }
}

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const auto count = ::write(fd, text.data(), text.size());
        if (count <= 0) {
            return false;
        }
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> list;
    for (std::string& text : texts) {
        list.push_back(text.data());
    }
    list.push_back(nullptr);
    return list;
}

}  // namespace

Result<std::optional<Heritage>> take_heritage() {
    const char* const given = std::getenv(inheritance_variable);
    const auto number = parse_integer(given == nullptr ? "" : given);
    ::unsetenv(inheritance_variable);
    // A number that names no memfd of ours leaked in with somebody's environment.
    if (!number || *number < 3 || *number > 1'000'000 || ::fcntl(static_cast<int>(*number), F_GET_SEALS) < 0) {
        return std::optional<Heritage>();
    }
    const UniqueFd file(static_cast<int>(*number));
    auto document = parse_inheritance(read_all(file.get()));
    if (!document) {
        return document.error();
    }
    if (!set_close_on_exec(descriptors(*document), true)) {
        return error(Errc::bad_message, "the supervisor before the exec left a descriptor that is not open");
    }
    Heritage heritage;
    heritage.lock.reset(document->lock);
    heritage.listener.reset(document->listener);
    heritage.slab.reset(document->slab);
    heritage.old_program.reset(document->old_program);
    heritage.old_worker.reset(document->old_worker);
    for (const KeptSocket& socket : document->sockets) {
        heritage.sockets.emplace_back(socket.fd);
    }
    heritage.document = std::move(*document);
    return std::optional<Heritage>(std::move(heritage));
}

Error become(const std::string& program, const Inheritance& document, const std::vector<std::string>& more) {
    // Sealable: that is how the other side knows it from any number in its environment.
    UniqueFd file(::memfd_create("agentlocator-inheritance", MFD_ALLOW_SEALING));
    if (!file || !write_all(file.get(), encode_inheritance(document))) {
        return system_error("memfd_create");
    }
    std::vector<std::string> arguments = parse_proc_strings(read_file("/proc/self/cmdline").value_or(""));
    std::vector<std::string> environment;
    const std::string inherit = std::string(inheritance_variable) + "=";
    for (char** entry = environ; *entry != nullptr; ++entry) {
        if (!std::string_view(*entry).starts_with(inherit)) {
            environment.emplace_back(*entry);
        }
    }
    environment.insert(environment.end(), more.begin(), more.end());
    environment.push_back(inherit + std::to_string(file.get()));
    auto argv = pointers(arguments);
    auto envp = pointers(environment);
    std::vector<int> kept = descriptors(document);
    kept.push_back(file.get());
    constexpr unsigned first = 3;
    constexpr unsigned only_mark = 4;  // CLOSE_RANGE_CLOEXEC, Linux 5.11. Libraries open files that would stay open.
    ::syscall(SYS_close_range, first, ~0U, only_mark);
    set_close_on_exec(kept, false);
    ::execve(program.c_str(), argv.data(), envp.data());
    const Error failed = system_error(program);
    set_close_on_exec(kept, true);
    return failed;
}

UniqueFd open_program_of(const std::string& pid) {
    return UniqueFd(::open(("/proc/" + pid + "/exe").c_str(), O_RDONLY | O_CLOEXEC));
}

std::string descriptor_path(int fd) {
    return "/proc/self/fd/" + std::to_string(fd);
}

}  // namespace agentlocator
