#include "worker/io/server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "common/exit_code.hpp"
#include "common/io/wall_clock.hpp"
#include "common/log_line.hpp"
#include "worker/call_record.hpp"
#include "worker/router.hpp"
#include "worker/stream_token.hpp"

namespace agentlocator {
namespace {

constexpr Duration sweep_every = std::chrono::milliseconds(100);
constexpr Duration accept_pause = std::chrono::milliseconds(100);  // After the descriptor limit was hit.
constexpr std::size_t agent_messages_a_turn_max = 1024;            // Sockets are looked at between.
constexpr std::size_t accepts_a_turn_max = 64;                     // Calls go on between two bursts of new connections.

std::int64_t steady_ns(TimePoint now) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count();
}

void sleep_until(TimePoint when) {
    const std::int64_t ns = steady_ns(when);
    const timespec until{static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
    ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
}

std::string numeric_address(const sockaddr_storage& address) {
    char text[INET6_ADDRSTRLEN] = "";
    if (address.ss_family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, &address, sizeof in);
        ::inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
    } else if (address.ss_family == AF_INET6) {
        sockaddr_in6 in{};
        std::memcpy(&in, &address, sizeof in);
        if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr)) {
            ::inet_ntop(AF_INET, &in.sin6_addr.s6_addr[12], text, sizeof text);
        } else {
            ::inet_ntop(AF_INET6, &in.sin6_addr, text, sizeof text);
        }
    }
    return text;
}

std::vector<ProviderMetrics> providers_of(const AgentEntry& entry) {
    std::vector<ProviderMetrics> out;
    const auto count = std::min(entry.providers.load(std::memory_order_acquire), AgentEntry::providers_max);
    for (std::uint32_t i = 0; i < count; ++i) {
        const ProviderEntry& provider = entry.provider[i];
        out.push_back({.stage = to_string(provider.stage),
                       .name = std::string(provider.name.data(), ::strnlen(provider.name.data(), provider.name.size())),
                       .breaker = provider.breaker.load(std::memory_order_relaxed),
                       .started = provider.started.load(std::memory_order_relaxed),
                       .failed = provider.failed.load(std::memory_order_relaxed)});
    }
    return out;
}

}  // namespace

class Server::Listener final : public EventSink {
public:
    explicit Listener(Server& server) : server_(server) {}
    void on_events(std::uint32_t /*events*/) override { server_.accept_all(); }

private:
    Server& server_;
};

Server::Server(ServerParts parts)
    : settings_(std::move(parts.settings)),
      build_(std::move(parts.build)),
      slab_(parts.slab),
      worker_(parts.worker),
      entry_(parts.slab.workers[parts.worker]),
      seat_(std::move(parts.seat)),
      log_(parts.slab.logs[parts.worker], entry_),
      agent_(parts.agent),
      agent_sink_([](std::uint32_t) {}),  // It only ends the wait.
      context_{parts.conversation, log_, settings_.hebrew_realtime_enabled, {}},
      scratch_(std::make_unique<StreamScratch>()),
      media_shell_{loop_, slab_, worker_, context_, *scratch_},
      buffer_(receive_bytes_max),
      http_shell_{loop_,
                  settings_,
                  buffer_,
                  [this](const HttpRequest& request, HttpPeer& peer) { return on_request(request, peer); },
                  [this](UniqueFd fd, const AcceptStream& stream, std::span<const char> behind) {
                      on_stream(std::move(fd), stream, behind);
                  },
                  [this](HttpPeer& peer) {
                      std::erase_if(held_, [&](const auto& one) { return one.second.peer == &peer; });
                      std::erase_if(asked_, [&](const auto& one) { return one.second == &peer; });
                      purge_http();
                  },
                  [this] { entry_.refused.fetch_add(1, std::memory_order_relaxed); }},
      listener_(std::move(parts.listener)),
      listener_sink_(std::make_unique<Listener>(*this)),
      store_(parts.store),
      store_news_(parts.store_news),
      store_sink_([this](std::uint32_t) { on_store_news(); }),
      api_(parts.api),
      payments_(parts.payments),
      api_gate_(std::move(parts.admin_token)),
      api_sink_([this](std::uint32_t) { on_api_results(api_->results()); }),
      payments_sink_([this](std::uint32_t) { on_api_results(payments_->results()); }),
      signals_(std::move(parts.signals)),
      signal_sink_([this](std::uint32_t) { on_signal(); }),
      started_at_(::time(nullptr)) {
    context_.silence_max = settings_.stream_timeout;
    if (stream_token_required(settings_)) {
        context_.token_valid = [this](std::string_view call_sid, std::string_view token) {
            return check_stream_token(settings_, slab_.instance.data(), token, call_sid, ::time(nullptr)) ==
                   TokenVerdict::ok;
        };
    }
    context_.resume = [this](std::string_view call_sid, std::string_view token) { return resumed(call_sid, token); };
    entry_.heartbeat_ns.store(steady_ns(Clock::now()), std::memory_order_relaxed);
    loop_.add(listener_.get(), EPOLLIN, *listener_sink_);
    listening_ = true;
    loop_.add(signals_.get(), EPOLLIN, signal_sink_);
    if (agent_ != nullptr) {
        told_.reserve(agent_messages_a_turn_max);
        loop_.add(agent_->wake_fd(), EPOLLIN, agent_sink_);
    }
    if (store_ != nullptr) {
        context_.on_started = [this](const CallState& call) { tell_store(call, false); };
        context_.on_ended = [this](const CallState& call) { tell_store(call, true); };
        loop_.add(store_news_->fd(), EPOLLIN, store_sink_);
    }
    if (api_ != nullptr) {
        loop_.add(api_->results().fd(), EPOLLIN, api_sink_);
    }
    if (payments_ != nullptr) {
        loop_.add(payments_->results().fd(), EPOLLIN, payments_sink_);
    }
    if (parts.control) {
        slab_file_ = std::move(parts.slab_file);
        adopt_link(std::move(parts.control));
        tell(PacketType::ready, no_slot, 0, static_cast<std::uint32_t>(control_layout()));
    }
}

Server::~Server() = default;

int Server::run() {
    while (!done_) {
        turn();
    }
    return to_int(ExitCode::ok);
}

void Server::turn() {
    const Duration tick = settings_.media_tick;
    const bool ticking = !calls_.empty() && tick != Duration::zero();
    const bool blocking = !ticking && may_block();
    const std::size_t events = loop_.run_once(blocking ? sweep_every : Duration::zero());
    const TimePoint now = Clock::now();
    if (blocking && agent_ != nullptr) {
        agent_->awake();
    }
    hear_agent(now);
    entry_.heartbeat_ns.store(steady_ns(now), std::memory_order_relaxed);
    if (const std::uint64_t superseded = slab_.superseded.load(std::memory_order_relaxed);
        superseded != std::exchange(superseded_seen_, superseded)) {
        end_superseded();
    }
    if (now >= next_sweep_) {
        next_sweep_ = now + sweep_every;
        sweep(now);
    }
    if (ticking && events < EventLoop::batch_max) {
        next_tick_ = std::max(next_tick_ + tick, now);
        if (next_tick_ > now) {
            sleep_until(next_tick_);
        }
    }
}

bool Server::may_block() {
    return agent_ == nullptr || agent_->may_sleep();
}

// What the agent thread said since the last turn. Frames of one call go out together, after all was taken in.
void Server::hear_agent(TimePoint now) {
    FromAgentMessage message;
    for (std::size_t i = 0; agent_ != nullptr && i < agent_messages_a_turn_max && agent_->next(message); ++i) {
        const auto found = calls_.find(message.slot);
        if (found == calls_.end() || !found->second || found->second->call() != message.call) {
            continue;  // The call is over, or moved.
        }
        found->second->on_agent(message, now);
        if (told_.empty() || told_.back() != message.slot) {
            told_.push_back(message.slot);
        }
    }
    for (const std::uint32_t slot : told_) {
        if (const auto found = calls_.find(slot); found != calls_.end() && found->second) {
            found->second->flush();
        }
    }
    told_.clear();
}

void Server::sweep(TimePoint now) {
    for (auto& [slot, peer] : calls_) {
        if (peer) {
            peer->on_tick(now);
        }
    }
    for (auto& peer : http_) {
        if (now >= peer->deadline()) {
            peer->close();
        }
    }
    give_up_waiting(now);
    if (!listening_ && !draining_ && now >= accept_again_) {
        loop_.add(listener_.get(), EPOLLIN, *listener_sink_);
        listening_ = true;
    }
    if (orphan_deadline_ && now >= *orphan_deadline_) {
        on_orphan_deadline();
    }
    if (drain_deadline_ && now >= *drain_deadline_) {
        drain_deadline_ = now + context_.close_max;
        if (calls_.empty()) {
            done_ = true;
        }
        close_calls("drain deadline passed");
    }
    check_drained();
}

void Server::accept_all() {
    for (std::size_t i = 0; i < accepts_a_turn_max; ++i) {
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        UniqueFd socket(
            ::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!socket) {
            if (errno == EINTR || errno == ECONNABORTED) {
                continue;
            }
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                // Out of descriptors: give one back and look again shortly. The queue of the kernel keeps the rest.
                log_.line(log_line("accept_failed", {{"worker", seat_},
                                                     {"cause", std::strerror(errno)},
                                                     {"remedy", "raise the limit of open files (ulimit -n)"}}));
                make_room();
                loop_.remove(listener_.get(), *listener_sink_);
                listening_ = false;
                accept_again_ = Clock::now() + accept_pause;
            }
            return;
        }
        const int on = 1;
        ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (http_.size() >= settings_.connections_max) {
            make_room();
        }
        add_http(std::move(socket), numeric_address(address));
    }
}

// Too many connections: the one that has been silent longest goes, so that a crowd of idle ones locks nobody out (P8).
void Server::make_room() {
    for (auto& peer : http_) {
        if (peer->idle()) {
            entry_.refused.fetch_add(1, std::memory_order_relaxed);
            return peer->close();
        }
    }
    if (!http_.empty()) {
        entry_.refused.fetch_add(1, std::memory_order_relaxed);
        http_.front()->close();
    }
}

void Server::add_http(UniqueFd socket, std::string address) {
    http_.push_back(std::make_unique<HttpPeer>(http_shell_, std::move(socket), std::move(address), Clock::now()));
    entry_.connections.store(static_cast<std::uint32_t>(http_.size()), std::memory_order_relaxed);
    http_.back()->start();
}

// Deferred and at most once a turn: thousands of connections may end together.
void Server::purge_http() {
    if (purging_) {
        return;
    }
    purging_ = true;
    loop_.defer([this] {
        purging_ = false;
        http_.remove_if([](const auto& peer) { return peer->done(); });
        count_calls();
        check_drained();
    });
}

RouteResult Server::on_request(const HttpRequest& request, HttpPeer& peer) {
    WebContext context{
        .settings = settings_,
        .build = build_,
        .instance = slab_.instance.data(),
        .worker = seat_,
        .remote_address = peer.remote_address(),
        .mode = static_cast<WsMode>(slab_.mode.load(std::memory_order_relaxed)),
        .live_calls = live_calls(),
        .poisoned = slab_.poisoned.load(std::memory_order_relaxed),
        .resumed = slab_.resumed.load(std::memory_order_relaxed),
        .call_capacity = call_slots_max,
        .now = ::time(nullptr),
        .now_ms = wall_ms(),
        .started_at = started_at_,
        .last_stream =
            [this](std::string_view call_sid) {
                const auto record = find_call(slab_, entry_.region.load(), call_sid);
                return record ? std::optional(LastStream{record->fate(), record->state.resumes}) : std::nullopt;
            },
        .problems = [this] { return problems(); },
        .metrics = [this] { return metrics(); },
        .store = store_metrics(),
        .conversations = &slab_.conversations,
        .messages = &slab_.messages};
    auto asked = ask_api(request, peer);
    RouteResult result = asked ? std::move(*asked) : route(request, context);
    if (result.ask_store) {
        if (auto later = ask_stream(request, peer)) {
            result = std::move(*later);
        }
    }
    entry_.requests.fetch_add(1, std::memory_order_relaxed);
    tell_store(result, peer);
    if (result.refused) {
        refuse(result.log);
    } else {
        for (const std::string& line : result.log) {
            log_.line(line);
        }
    }
    return result;
}

void Server::refuse(std::span<const std::string> lines) {
    entry_.refused.fetch_add(1, std::memory_order_relaxed);
    const auto swallowed = refusal_lines_.spend(Clock::now());
    if (!swallowed) {
        return;
    }
    if (*swallowed != 0) {
        log_.line(log_line("refusals_not_logged", {{"worker", seat_}, {"count", *swallowed}}));
    }
    for (const std::string& line : lines) {
        log_.line(line);
    }
}

// Of all workers. Summed, not counted along: a worker that dies leaves no wrong total behind.
std::uint32_t Server::live_calls() const {
    std::uint32_t sum = 0;
    for (std::uint32_t i = 0; i < worker_entries_max; ++i) {
        const WorkerEntry& entry = slab_.workers[i];
        if (i == worker_ || entry.seat.load(std::memory_order_relaxed) != 0) {
            sum += entry.calls.load(std::memory_order_relaxed);
        }
    }
    return sum;
}

void Server::drain(std::optional<Duration> deadline) {
    if (deadline) {
        const TimePoint at = Clock::now() + *deadline;
        drain_deadline_ = drain_deadline_ ? std::min(*drain_deadline_, at) : at;
    }
    if (draining_) {
        return;
    }
    draining_ = true;
    if (listening_) {
        loop_.remove(listener_.get(), *listener_sink_);
        listening_ = false;
    }
    for (auto& peer : http_) {
        peer->drain();
    }
    loop_.defer([this] { check_drained(); });
}

// SIGTERM drains; a second one ends the calls. SIGINT is for the supervisor, unless there is none.
void Server::on_signal() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGINT && slab_file_) {
            continue;
        }
        const bool again = draining_;
        drain(again ? context_.close_max : Duration(settings_.drain_timeout));
        if (again) {
            close_calls("the server is stopping");
        }
    }
}

void Server::check_drained() {
    // A released call that nobody is known to have yet is still ours to save.
    if (!draining_ || !calls_.empty() || !http_.empty() || !parted_.empty() || done_) {
        return;
    }
    tell(PacketType::drained);
    done_ = true;
}

std::vector<ReadyProblem> Server::problems() const {
    std::vector<ReadyProblem> found;
    if (draining_) {
        found.push_back({"draining", "this worker takes no new calls"});
    }
    if (orphaned_) {
        found.push_back({"no_supervisor", "the supervisor is gone; start it again"});
    }
    if (const std::uint32_t held = slab_.held_slots.load(std::memory_order_relaxed); held > 0) {
        found.push_back({"slot_held", std::to_string(held) + " worker slots crash again and again and are held"});
    }
    return found;
}

std::vector<WorkerMetrics> Server::metrics() const {
    std::vector<WorkerMetrics> all;
    const std::int64_t now = steady_ns(Clock::now());
    for (std::uint32_t i = 0; i < worker_entries_max; ++i) {
        const WorkerEntry& entry = slab_.workers[i];
        const std::uint32_t seat = entry.seat.load(std::memory_order_relaxed);
        if (seat == 0 && i != worker_) {
            continue;
        }
        const auto get = [](const auto& value) { return value.load(std::memory_order_relaxed); };
        all.push_back({.worker = i == worker_ ? seat_ : std::to_string(seat),
                       .calls = get(entry.calls),
                       .calls_served = get(entry.calls_served),
                       .connections = get(entry.connections),
                       .requests = get(entry.requests),
                       .refused = get(entry.refused),
                       .log_lines_dropped = get(entry.log_lines_dropped),
                       .frames_in = get(entry.frames_in),
                       .frames_out = get(entry.frames_out),
                       .heartbeat_age_seconds = static_cast<double>(now - get(entry.heartbeat_ns)) * 1e-9,
                       .conversations = get(slab_.agents[i].conversations),
                       .providers = providers_of(slab_.agents[i])});
    }
    return all;
}

}  // namespace agentlocator
