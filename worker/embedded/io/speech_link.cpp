#include "worker/embedded/io/speech_link.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace agentlocator {
namespace {

constexpr std::size_t read_bytes = 65'536;
constexpr int reads_in_a_row = 16;  // A megabyte; then the other descriptors of the loop have their turn.

bool contains(const std::vector<std::string>& list, std::string_view word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}

}  // namespace

SpeechLink::SpeechLink(EventLoop& loop, std::string socket_path) : loop_(loop), socket_path_(std::move(socket_path)) {}

SpeechLink::~SpeechLink() {
    loop_.cancel(timer_);
    loop_.cancel(reconnect_timer_);
    if (socket_) {
        loop_.remove(socket_.get(), *this);
    }
}

void SpeechLink::connect() {
    if (socket_) {
        return;
    }
    loop_.cancel(std::exchange(reconnect_timer_, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::string fault;
    if (socket_path_.empty() || socket_path_.size() >= sizeof address.sun_path) {
        fault = "its socket has no usable path";
    } else {
        std::memcpy(address.sun_path, socket_path_.data(), socket_path_.size());
        UniqueFd fresh(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (fresh && ::connect(fresh.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
            socket_ = std::move(fresh);
            loop_.add(socket_.get(), EPOLLIN, *this);
            wants_write_ = false;
            client_.on_connected();
            pump();
            return;
        }
        fault = socket_path_ + ": " + std::generic_category().message(errno);
    }
    client_.on_unreachable(fault);
    pump();
}

SpeechOperationId SpeechLink::speak(SpeakRequest request, Duration first_audio_max, TtsListener listener) {
    const SpeechOperationId id = client_.speak(Clock::now(), std::move(request), first_audio_max);
    speaking_[id] = std::make_shared<TtsListener>(std::move(listener));
    connect();
    pump();
    return id;
}

SpeechOperationId SpeechLink::listen(ListenRequest request, SttListener listener) {
    const SpeechOperationId id = client_.listen(std::move(request));
    listening_[id] = std::make_shared<SttListener>(std::move(listener));
    connect();
    pump();
    return id;
}

void SpeechLink::audio(SpeechOperationId id, std::span<const std::uint8_t> mulaw) {
    client_.audio(id, mulaw);
    pump();
}

void SpeechLink::finish(SpeechOperationId id) {
    client_.finish(Clock::now(), id);
    pump();
}

void SpeechLink::cancel(SpeechOperationId id) {
    speaking_.erase(id);
    listening_.erase(id);
    client_.cancel(id);
    pump();
}

bool SpeechLink::speaks(std::string_view language) const {
    return !client_.abilities() || contains(client_.abilities()->speaks, language);
}

bool SpeechLink::hears(std::string_view language) const {
    return !client_.abilities() || contains(client_.abilities()->hears, language);
}

void SpeechLink::on_events(std::uint32_t events) {
    if ((events & EPOLLOUT) != 0) {
        flush();
    }
    if (socket_ && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        receive();
    }
    pump();
}

void SpeechLink::receive() {
    std::array<std::uint8_t, read_bytes> buffer;
    for (int i = 0; i < reads_in_a_row; ++i) {
        const auto count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (count <= 0) {
            disconnect(count == 0 ? "it ended" : std::generic_category().message(errno), true);
            return;
        }
        const auto taken = client_.on_bytes(Clock::now(), {buffer.data(), static_cast<std::size_t>(count)});
        if (!taken) {
            disconnect(taken.error().detail, false);
            return;
        }
    }
}

void SpeechLink::flush() {
    std::string& bytes = client_.outgoing();
    while (socket_ && !bytes.empty()) {
        const auto count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count > 0) {
            bytes.erase(0, static_cast<std::size_t>(count));
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            disconnect(std::generic_category().message(errno), true);
            return;
        }
    }
    if (socket_ && bytes.size() > SpeechClient::outgoing_max) {
        disconnect("it takes nothing in", false);
    } else if (socket_ && wants_write_ == bytes.empty()) {
        wants_write_ = !bytes.empty();
        loop_.modify(socket_.get(), wants_write_ ? EPOLLIN | EPOLLOUT : EPOLLIN, *this);
    }
}

void SpeechLink::disconnect(const std::string& reason, bool reconnect_now) {
    // A helper that is being restarted: its socket still takes connections. One that hangs up on us before it said
    // ready is met at the slower pace.
    const bool now = reconnect_now && client_.is_ready();
    loop_.remove(socket_.get(), *this);
    socket_.reset();
    client_.on_disconnected(reason);
    loop_.cancel(reconnect_timer_);
    const TimePoint when = Clock::now() + (now ? Duration::zero() : reconnect_after);
    reconnect_timer_ = loop_.call_at(when, [this] {
        reconnect_timer_ = 0;
        connect();
    });
}

void SpeechLink::pump() {
    flush();
    arm_timer();
    if (client_.has_events() && !std::exchange(delivering_, true)) {
        loop_.defer([this, watch = std::weak_ptr<int>(alive_)] {
            if (!watch.expired()) {
                deliver();
            }
        });
    }
}

void SpeechLink::arm_timer() {
    loop_.cancel(std::exchange(timer_, 0));
    if (const auto deadline = client_.deadline()) {
        timer_ = loop_.call_at(*deadline, [this] {
            timer_ = 0;
            client_.on_deadline(Clock::now());
            pump();
        });
    }
}

void SpeechLink::deliver() {
    delivering_ = false;
    const std::weak_ptr<int> watch(alive_);
    for (const SpeechEvent& event : client_.take_events()) {
        deliver(event);
        if (watch.expired()) {
            return;  // A listener ended the last call and us with it.
        }
    }
    pump();
}

void SpeechLink::deliver(const SpeechEvent& event) {
    using Kind = SpeechEvent::Kind;
    const bool last = event.kind != Kind::audio && event.kind != Kind::partial;
    if (const auto found = speaking_.find(event.id); found != speaking_.end()) {
        const std::shared_ptr<TtsListener> listener = found->second;
        if (last) {
            speaking_.erase(found);
        }
        if (event.kind == Kind::audio) {
            listener->on_audio({reinterpret_cast<const std::uint8_t*>(event.bytes.data()), event.bytes.size()});
        } else if (event.kind == Kind::spoken) {
            listener->on_done();
        } else if (event.kind == Kind::failed) {
            listener->on_error(event.error);
        }
    } else if (const auto heard = listening_.find(event.id); heard != listening_.end()) {
        const std::shared_ptr<SttListener> listener = heard->second;
        if (last) {
            listening_.erase(heard);
        }
        if (event.kind == Kind::partial && listener->on_partial) {
            listener->on_partial(event.bytes);
        } else if (event.kind == Kind::heard) {
            listener->on_done(event.bytes);
        } else if (event.kind == Kind::failed) {
            listener->on_error(event.error);
        }
    }
}

}  // namespace agentlocator
