#include "worker/voice/io/agent_channel.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace agentlocator {
namespace {

UniqueFd make_eventfd() {
    UniqueFd fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!fd) {
        throw std::system_error(errno, std::generic_category(), "eventfd");
    }
    return fd;
}

void wake(const UniqueFd& fd) {
    const std::uint64_t one = 1;
    // Fails only when the counter is full, and then the other side is awake anyway.
    [[maybe_unused]] const ssize_t written = ::write(fd.get(), &one, sizeof one);
}

void drain(const UniqueFd& fd) {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t read = ::read(fd.get(), &count, sizeof count);
}

}  // namespace

AgentChannel::AgentChannel(std::size_t bytes)
    : to_agent_(bytes), to_media_(bytes), wake_agent_(make_eventfd()), wake_media_(make_eventfd()) {}

bool MediaEnd::tell(const ToAgentMessage& message) {
    const std::size_t reserve = message.kind == ToAgent::audio ? channel_.to_agent_.bytes() / 8 : 0;
    if (!channel_.to_agent_.push(message, reserve)) {
        return false;
    }
    if (channel_.to_agent_.take_sleeper()) {
        wake(channel_.wake_agent_);
    }
    return true;
}

std::size_t MediaEnd::room() const {
    const std::size_t room = channel_.to_agent_.room();
    const std::size_t reserve = channel_.to_agent_.bytes() / 8;
    return room > reserve ? (room - reserve) / 2 : 0;  // A record's head is smaller than a frame of audio.
}

bool MediaEnd::next(FromAgentMessage& message) {
    return channel_.to_media_.pop(message);
}
bool MediaEnd::may_sleep() {
    return channel_.to_media_.may_sleep();
}
void MediaEnd::awake() {
    channel_.to_media_.awake();
    drain(channel_.wake_media_);
}
int MediaEnd::wake_fd() const {
    return channel_.wake_media_.get();
}

bool AgentEnd::tell(const FromAgentMessage& message) {
    if (!channel_.to_media_.push(message)) {
        return false;
    }
    if (channel_.to_media_.take_sleeper()) {
        wake(channel_.wake_media_);
    }
    return true;
}

bool AgentEnd::next(ToAgentMessage& message) {
    return channel_.to_agent_.pop(message);
}
bool AgentEnd::may_sleep() {
    return channel_.to_agent_.may_sleep();
}
void AgentEnd::awake() {
    channel_.to_agent_.awake();
    drain(channel_.wake_agent_);
}
int AgentEnd::wake_fd() const {
    return channel_.wake_agent_.get();
}

}  // namespace agentlocator
