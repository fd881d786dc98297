#include "supervisor/call/io/caller.hpp"

#include <algorithm>
#include <utility>

namespace agentlocator::call {

// --- FrameClock

void FrameClock::add(std::size_t phase, Tick& tick) {
    members_[phase % phases].push_back(&tick);
    if (count_++ == 0) {
        next_ = Clock::now() + 1ms;
        arm();
    }
}

void FrameClock::remove(std::size_t phase, Tick& tick) {
    auto& list = members_[phase % phases];
    // Left as a hole while run() may be walking this list; swept at its end.
    std::replace(list.begin(), list.end(), &tick, static_cast<Tick*>(nullptr));
    if (--count_ == 0) {
        loop_.cancel(std::exchange(timer_, 0));
    }
}

void FrameClock::arm() {
    timer_ = loop_.call_at(next_, [this] { run(); });
}

void FrameClock::run() {
    timer_ = 0;
    const TimePoint begin = Clock::now();
    latest_ = std::max(latest_, begin - next_);
    // A late clock catches up: no frame is left out, as a telephone leaves out none.
    for (; count_ > 0 && next_ <= begin; next_ += frame_time / phases) {
        auto& list = members_[phase_];
        for (std::size_t i = 0; i < list.size(); ++i) {  // By index: a tick may add members.
            if (list[i] != nullptr) {
                (*list[i])(Clock::now(), begin - next_ > late_after);
            }
        }
        std::erase(list, nullptr);
        phase_ = (phase_ + 1) % phases;
    }
    // Milliseconds in which nobody ticks are skipped without waking up.
    for (std::size_t i = 0; count_ > 0 && i < phases && members_[phase_].empty(); ++i) {
        next_ += frame_time / phases;
        phase_ = (phase_ + 1) % phases;
    }
    if (count_ > 0 && timer_ == 0) {
        arm();
    }
}

// --- Caller

Caller::Caller(EventLoop& loop, CurlHub& hub, FrameClock& clock, std::size_t phase, CallPlan plan,
               std::function<void()> on_done)
    : loop_(loop),
      hub_(hub),
      clock_(clock),
      phase_(phase),
      fast_(plan.stream.fast),
      on_done_(std::move(on_done)),
      flow_(std::move(plan)),
      on_tick_([this](TimePoint now, bool late) { tick(now, late); }) {}

Caller::~Caller() {
    *alive_ = false;
    loop_.cancel(deadline_);
    close_stream();
}

void Caller::start() {
    flow_.start(Clock::now());
    perform();
}

void Caller::hang_up() {
    flow_.hang_up(Clock::now());
    perform();
}

void Caller::perform() {
    for (CallAction& action : flow_.take_actions()) {
        if (auto* fetch = std::get_if<Fetch>(&action)) {
            hub_.request({fetch->route.dial + fetch->route.target, fetch->method, fetch->body, fetch->headers},
                         [this, alive = alive_, id = fetch->id](const HttpAnswer& answer) {
                             if (*alive) {
                                 flow_.on_answer(Clock::now(), id, answer);
                                 perform();
                             }
                         });
        } else if (auto* request = std::get_if<OpenStream>(&action)) {
            open(std::move(*request));
        } else if (stream_) {
            stream_->hang_up(Clock::now());
            look(Clock::now());
        }
    }
    loop_.cancel(std::exchange(deadline_, 0));
    if (const auto when = flow_.deadline()) {
        deadline_ = loop_.call_at(fast_ ? Clock::now() : *when, [this, when] {
            deadline_ = 0;
            flow_.on_deadline(std::max(Clock::now(), *when));
            perform();
        });
    }
    if (flow_.done() && !done_) {
        done_ = true;
        on_done_();
    }
}

void Caller::open(OpenStream request) {
    stream_ = std::make_unique<StreamSession>(std::move(request.plan), Clock::now());
    told_open_ = false;
    hub_.connect(request.route.dial,
                 [this, alive = alive_, number = ++stream_number_](std::unique_ptr<CurlConnection> connection,
                                                                   Rule rule, const std::string& why) {
                     if (*alive && stream_ && number == stream_number_) {
                         on_connected(std::move(connection), rule, why);
                     }
                 });
}

void Caller::on_connected(std::unique_ptr<CurlConnection> connection, Rule rule, const std::string& why) {
    const TimePoint now = Clock::now();
    if (!connection) {
        stream_->on_connect_failed(rule, why);
        return look(now);
    }
    connection_ = std::move(connection);
    loop_.add(connection_->fd(), EPOLLIN, *this);
    watching_out_ = false;
    clock_.add(phase_, on_tick_);
    ticking_ = true;
    stream_->on_connected(now);
    look(now);
}

void Caller::on_events(std::uint32_t) {
    const TimePoint now = Clock::now();
    read(now);
    look(now);
}

void Caller::read(TimePoint now) {
    // Bounded, so that one talkative server does not stop the clock of the others.
    for (int i = 0; i < 16 && connection_ && !stream_->ended(); ++i) {
        const CurlConnection::Io result = connection_->read(bytes_);
        if (result == CurlConnection::Io::again) {
            return;
        }
        if (result != CurlConnection::Io::done) {
            stream_->on_lost(result == CurlConnection::Io::closed ? "end of file" : connection_->failure());
            return;
        }
        stream_->on_bytes(now, bytes_);
    }
}

void Caller::tick(TimePoint now, bool late) {
    if (late && stream_) {
        read(now);
    }
    if (stream_ && !(fast_ && stream_->may_tick())) {
        stream_->on_tick(now);
        look(now);
    }
}

void Caller::flush() {
    if (!connection_ || stream_->output().empty()) {
        return;
    }
    const CurlConnection::Io result = connection_->write(stream_->output());
    if (result == CurlConnection::Io::failed) {
        stream_->output().clear();
        // What the server said before it closed is still there to be read, a close frame with its reason perhaps.
        read(Clock::now());
        stream_->on_lost(connection_->failure());
        return;
    }
    const bool wait = result == CurlConnection::Io::again;
    if (wait != watching_out_) {
        loop_.modify(connection_->fd(), wait ? EPOLLIN | EPOLLOUT : EPOLLIN, *this);
        watching_out_ = wait;
    }
}

void Caller::look(TimePoint now) {
    flush();
    if (stream_->opened() && !told_open_) {
        told_open_ = true;
        flow_.on_stream_opened(now);
        perform();
    }
    if (stream_->ended()) {
        const std::unique_ptr<StreamSession> over = std::move(stream_);
        if (over->left_open() && connection_) {
            loop_.remove(connection_->fd(), *this);
            left_.push_back(std::move(connection_));
        }
        close_stream();
        flow_.on_stream_over(now, over->report(), over->ticks());
        return perform();
    }
    if (fast_ && stream_->may_tick() && !fast_queued_) {
        fast_queued_ = true;
        loop_.defer([this, alive = alive_] {
            if (*alive) {
                fast_queued_ = false;
                run_fast();
            }
        });
    }
}

void Caller::run_fast() {
    constexpr int ticks_at_once = 8;
    const TimePoint now = Clock::now();
    for (int i = 0; i < ticks_at_once && stream_ && stream_->may_tick(); ++i) {
        stream_->on_tick(now);
    }
    if (stream_) {
        look(now);
    }
}

void Caller::close_stream() {
    if (ticking_) {
        clock_.remove(phase_, on_tick_);
        ticking_ = false;
    }
    if (connection_) {
        loop_.remove(connection_->fd(), *this);
        connection_.reset();
    }
}

}  // namespace agentlocator::call
