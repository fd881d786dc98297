#include "common/io/secret_file.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "common/io/unique_fd.hpp"
#include "common/text.hpp"

namespace agentlocator {
namespace {

constexpr std::size_t secret_text_min = 16;

Error failed(const std::string& path, const std::string& why) {
    return {Errc::io, path + ": " + why};
}

Result<std::string> read_secret(const UniqueFd& fd, const std::string& path) {
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_uid != ::geteuid()) {
        return failed(path, "not a regular file of ours; delete it and start again");
    }
    if ((status.st_mode & 0077) != 0 && ::fchmod(fd.get(), 0600) != 0) {
        return failed(path, "can be read by others, and that cannot be changed");
    }
    std::array<char, secret_text_max + 1> text{};
    const ssize_t size = ::read(fd.get(), text.data(), text.size());
    const std::string_view secret = trim(std::string_view(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0));
    if (secret.size() < secret_text_min || secret.size() > secret_text_max) {
        return failed(path, "holds no secret; delete it and start again");
    }
    return std::string(secret);
}

Result<std::string> make_text() {
    std::array<unsigned char, secret_random_bytes> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        return Error{Errc::io, "no random bytes"};
    }
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const unsigned char byte : bytes) {
        text.push_back(digits[byte >> 4U]);
        text.push_back(digits[byte & 15U]);
    }
    return text;
}

}  // namespace

Result<std::string> keep_secret(const std::string& path, bool* made) {
    const auto open_it = [&] { return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)); };
    if (const UniqueFd there = open_it()) {
        return read_secret(there, path);
    }
    if (errno != ENOENT) {
        return failed(path, std::strerror(errno));
    }
    const auto text = make_text();
    if (!text) {
        return text.error();
    }
    // Written aside and linked: the name appears with the whole secret in it, and never replaces another's.
    const std::string draft = path + "." + std::to_string(::getpid());
    ::unlink(draft.c_str());  // Of an earlier process with our pid, killed in between.
    const UniqueFd file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    const std::string line = *text + "\n";
    const bool written = file && ::write(file.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
                         ::fsync(file.get()) == 0;
    const bool named = written && ::link(draft.c_str(), path.c_str()) == 0;
    const bool linked = named || (written && errno == EEXIST);
    const int reason = errno;
    if (made != nullptr) {
        *made = named;
    }
    ::unlink(draft.c_str());
    if (!linked) {
        return failed(path, std::strerror(reason));
    }
    const UniqueFd kept = open_it();
    return kept ? read_secret(kept, path) : Result<std::string>(failed(path, std::strerror(errno)));
}

}  // namespace agentlocator
