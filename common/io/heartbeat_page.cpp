#include "common/io/heartbeat_page.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace agentlocator {
namespace {

constexpr std::size_t page_bytes = 4096;
static_assert(std::atomic<std::int64_t>::is_always_lock_free);

Error system_error(const char* what) {
    return error(Errc::io, std::string(what) + ": " + std::generic_category().message(errno));
}

}  // namespace

Result<HeartbeatPage> HeartbeatPage::create() {
    UniqueFd fd(::memfd_create("heartbeat", MFD_CLOEXEC));
    if (!fd || ::ftruncate(fd.get(), page_bytes) != 0) {
        return system_error("heartbeat page");
    }
    return open(std::move(fd));
}

Result<HeartbeatPage> HeartbeatPage::open(UniqueFd fd) {
    struct stat facts {};
    if (::fstat(fd.get(), &facts) != 0) {
        return system_error("heartbeat page");
    }
    if (facts.st_size < static_cast<off_t>(page_bytes)) {
        return error(Errc::bad_config, "the heartbeat page is too small");  // A look at it would be SIGBUS.
    }
    void* at = ::mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (at == MAP_FAILED) {
        return system_error("heartbeat page");
    }
    return HeartbeatPage(std::move(fd), static_cast<std::atomic<std::int64_t>*>(at));
}

HeartbeatPage::HeartbeatPage(HeartbeatPage&& other) noexcept
    : fd_(std::move(other.fd_)), beat_(std::exchange(other.beat_, nullptr)) {}

HeartbeatPage& HeartbeatPage::operator=(HeartbeatPage&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(beat_, other.beat_);
    return *this;
}

HeartbeatPage::~HeartbeatPage() {
    if (beat_ != nullptr) {
        ::munmap(beat_, page_bytes);
    }
}

std::optional<TimePoint> HeartbeatPage::last() const {
    const std::int64_t beat = beat_->load(std::memory_order_relaxed);
    return beat == 0 ? std::nullopt : std::optional(TimePoint(std::chrono::nanoseconds(beat)));
}

}  // namespace agentlocator
