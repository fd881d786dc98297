#pragma once
// Runs one call: performs what CallFlow and StreamSession decide. Nothing here knows a rule of Twilio.
#include <functional>
#include <memory>
#include <optional>

#include "supervisor/call/call_flow.hpp"
#include "supervisor/call/io/curl_hub.hpp"

namespace agentlocator::call {

// Ticks many callers each 20 ms, each in its own millisecond of them, from one timer. Remembers how late it was: a tick
// that comes late tells its caller to look at the socket first, so that our own delay is not taken for the server's.
class FrameClock {
public:
    static constexpr std::size_t phases = 20;
    static constexpr Duration late_after = 5ms;
    using Tick = std::function<void(TimePoint now, bool late)>;

    explicit FrameClock(EventLoop& loop) : loop_(loop) {}
    ~FrameClock() { loop_.cancel(timer_); }
    FrameClock(const FrameClock&) = delete;
    FrameClock& operator=(const FrameClock&) = delete;

    void add(std::size_t phase, Tick& tick);  // `tick` must live until remove().
    void remove(std::size_t phase, Tick& tick);
    [[nodiscard]] Duration latest() const { return latest_; }

private:
    void arm();
    void run();

    EventLoop& loop_;
    std::array<std::vector<Tick*>, phases> members_;
    std::size_t count_ = 0;
    TimePoint next_{};
    std::size_t phase_ = 0;
    EventLoop::TimerId timer_ = 0;
    Duration latest_{};
};

class Caller final : public EventSink {
public:
    Caller(EventLoop& loop, CurlHub& hub, FrameClock& clock, std::size_t phase, CallPlan plan,
           std::function<void()> on_done);
    ~Caller();
    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;

    void start();
    void hang_up();
    [[nodiscard]] const CallReport& report() const { return flow_.report(); }
    [[nodiscard]] const CallFlow& flow() const { return flow_; }
    [[nodiscard]] bool streaming() const { return stream_ && stream_->opened(); }
    void on_events(std::uint32_t events) override;

private:
    void perform();  // What the flow asks for.
    void open(OpenStream request);
    void on_connected(std::unique_ptr<CurlConnection> connection, Rule rule, const std::string& why);
    void tick(TimePoint now, bool late);
    void read(TimePoint now);
    void flush();
    void look(TimePoint now);  // After anything happened to the stream.
    void run_fast();
    void close_stream();

    // given
    EventLoop& loop_;
    CurlHub& hub_;
    FrameClock& clock_;
    std::size_t phase_;
    bool fast_;
    std::function<void()> on_done_;
    // owned
    CallFlow flow_;
    std::unique_ptr<StreamSession> stream_;
    std::unique_ptr<CurlConnection> connection_;
    std::vector<std::unique_ptr<CurlConnection>> left_;  // Streams we left without closing them.
    FrameClock::Tick on_tick_;
    std::string bytes_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // For callbacks that may come after us.
    // state
    bool ticking_ = false;
    bool watching_out_ = false;
    bool told_open_ = false;
    bool fast_queued_ = false;
    bool done_ = false;
    std::uint64_t stream_number_ = 0;
    EventLoop::TimerId deadline_ = 0;
};

}  // namespace agentlocator::call
