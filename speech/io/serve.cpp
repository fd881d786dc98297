#include "speech/io/serve.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <system_error>

#include "common/ensure.hpp"
#include "common/io/event_loop.hpp"
#include "common/io/heartbeat_page.hpp"
#include "common/log_line.hpp"
#include "common/speech_message.hpp"
#include "common/text.hpp"
#include "speech/io/server.hpp"

namespace agentlocator::speech {
namespace {

constexpr Duration beat_every = 250ms;  // supervisor/heartbeat_policy.hpp counts on it.
constexpr int backlog = 128;

void say(std::string_view line) {
    const std::string text = std::string(line) + "\n";
    (void)!::write(STDOUT_FILENO, text.data(), text.size());
}

struct Inherited {
    UniqueFd listener;
    std::optional<HeartbeatPage> heartbeat;
};

// sd_listen_fds(3): the descriptors begin at 3, their names are parted by colons.
Result<Inherited> inherit() {
    const char* pid = std::getenv("LISTEN_PID");
    const char* names = std::getenv("LISTEN_FDNAMES");
    if (pid == nullptr || names == nullptr || parse_integer(pid) != ::getpid()) {
        return error(Errc::bad_config,
                     "no socket was inherited; run it under `agentlocator run`, or give --socket PATH");
    }
    Inherited inherited;
    int fd = 3;
    for (const std::string_view name : split(names, ':')) {
        UniqueFd one(fd++);
        ::fcntl(one.get(), F_SETFD, FD_CLOEXEC);
        if (name == fd_name_speech) {
            inherited.listener = std::move(one);
        } else if (name == fd_name_heartbeat) {
            auto page = HeartbeatPage::open(std::move(one));
            if (!page) {
                return page.error();
            }
            inherited.heartbeat.emplace(std::move(*page));
        }
    }
    if (!inherited.listener) {
        return error(Errc::bad_config, "none of the inherited descriptors is named " + std::string(fd_name_speech));
    }
    ::fcntl(inherited.listener.get(), F_SETFL, O_NONBLOCK);
    return inherited;
}

Result<Inherited> listen_at(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return error(Errc::bad_config, path + ": a socket's path has at most 107 bytes");
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    Inherited made;
    made.listener.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const mode_t mask = ::umask(0177);  // Ours alone from the first moment.
    const bool bound =
        made.listener && ::bind(made.listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::umask(mask);
    if (!bound || ::listen(made.listener.get(), backlog) != 0) {
        return error(Errc::io, path + ": " + std::generic_category().message(errno));
    }
    return made;
}

// SIGTERM and SIGINT end us at once: a call asks again at the next helper.
class StopSignals {
public:
    StopSignals() {
        ::sigemptyset(&set_);
        ::sigaddset(&set_, SIGTERM);
        ::sigaddset(&set_, SIGINT);
        ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);  // Before the first thread, which inherits it.
        fd_.reset(::signalfd(-1, &set_, SFD_CLOEXEC | SFD_NONBLOCK));
        ENSURE(fd_);
    }
    [[nodiscard]] int fd() const { return fd_.get(); }

private:
    sigset_t set_{};
    UniqueFd fd_;
};

// What a turn of the clock does: the heartbeat, and the look whether our supervisor still lives.
class Clockwork {
public:
    Clockwork(EventLoop& loop, SpeechServer& server, std::optional<HeartbeatPage> heartbeat, Duration orphan_grace)
        : loop_(loop), server_(server), heartbeat_(std::move(heartbeat)), orphan_grace_(orphan_grace) {
        turn();
    }

private:
    void turn() {
        const TimePoint now = Clock::now();
        // No beat while the engine hangs, though this thread is well: it is the engine that is waited for.
        if (heartbeat_ && !server_.is_stuck(now)) {
            heartbeat_->beat(now);
        }
        if (heartbeat_ && ::getppid() != parent_) {
            orphan_since_ = server_.has_connections() ? now : orphan_since_.value_or(now);
            if (now - *orphan_since_ > orphan_grace_) {
                say(log_line("speech_stopped", {{"reason", "no supervisor and no worker is left"}}));
                loop_.stop();
            }
        }
        loop_.call_at(now + beat_every, [this] { turn(); });
    }

    EventLoop& loop_;
    SpeechServer& server_;
    std::optional<HeartbeatPage> heartbeat_;
    Duration orphan_grace_;
    pid_t parent_ = ::getppid();
    std::optional<TimePoint> orphan_since_;
};

}  // namespace

ExitCode serve(const std::string& socket, const Settings& settings) {
    auto inherited = socket.empty() ? inherit() : listen_at(socket);
    if (!inherited) {
        std::fprintf(stderr, "agentlocator-speech: %s\n", inherited.error().detail.c_str());
        return ExitCode::bad_config;
    }
    if (inherited->heartbeat) {
        inherited->heartbeat->beat(Clock::now());
    }
    const StopSignals signals;
    EventLoop loop;
    FunctionSink on_signal([&loop](std::uint32_t) { loop.stop(); });
    loop.add(signals.fd(), EPOLLIN, on_signal);
    {
        SpeechServer server(loop, std::move(inherited->listener),
                            {settings.speech.voice_variant, settings.speech.words_per_minute},
                            {settings.speech.rejection}, say);
        const Clockwork clockwork(loop, server, std::move(inherited->heartbeat), settings.orphan_grace);
        loop.run();
    }
    if (!socket.empty()) {
        ::unlink(socket.c_str());
    }
    return ExitCode::ok;
}

}  // namespace agentlocator::speech
