#pragma once
// One media stream as Twilio would hold it: upgrade, connected, start, media every 20 ms, playback of what the server
// sends, mark echoes, stop, close. Pure: bytes, ticks and the time go in, bytes come out of output().
//
//   connecting --on_connected--> upgrading --101--> streaming --hang_up / enough audio--> lingering --stop sent-->
//       stopped --quiet for a moment--> closing --close from server, or one second--> ended
//   streaming --close from server--> closing --> ended          any --on_lost / framing fault--> ended
//
// The tick is the audio clock: exactly one frame is played and one is sent on each. The shell ticks every 20 ms, or
// with `fast` whenever may_tick(): a ping every half second of audio keeps it at most one second ahead of the server,
// so that what was heard stays comparable with what was sent.
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/call/caller_audio.hpp"
#include "supervisor/call/caller_message.hpp"
#include "supervisor/call/faults.hpp"
#include "supervisor/call/frame_ledger.hpp"
#include "supervisor/call/pacing.hpp"
#include "supervisor/call/playback.hpp"
#include "supervisor/call/server_message.hpp"
#include "supervisor/call/ws_client.hpp"

namespace agentlocator::call {

struct StreamPlan {
    StreamIds ids;
    UpgradeRequest upgrade;
    FormParameters parameters;
    CallerAudioPlan audio;
    Faults faults;
    std::string digits;  // Sent as DTMF, digit_gap apart, from digits_after on.
    std::uint64_t digits_after_ticks = 50;
    std::uint64_t ticks = 0;  // The caller hangs up after so much audio; 0: when the server ends it.
    // Before stop, without media: answers under way may arrive. Over at once when every numbered frame was answered.
    // Before stop, without media: answers under way may arrive. With numbered frames it ends when all were answered.
    Duration linger{};
    bool fast = false;
    std::optional<std::uint32_t> ledger_call;  // Numbered frames in place of the audio.
    bool record = true;                        // Keep what was sent and heard.
    std::uint64_t seed = 1;
};

enum class StreamEnd : std::uint8_t {
    none,        // Still going.
    caller,      // We hung up, as planned.
    server,      // It closed the WebSocket.
    lost,        // The TCP connection ended without a close frame.
    broken,      // It broke the framing, so we dropped it.
    not_opened,  // No connection, or no valid 101.
    cut,         // We dropped it, as a fault asked for.
};
[[nodiscard]] std::string_view to_string(StreamEnd end);

struct StreamReport {
    StreamEnd end = StreamEnd::none;
    std::uint16_t close_code = 0;  // The server's; 0: none came.
    std::string end_detail;
    std::optional<Duration> open;         // Connection asked for until 101.
    std::optional<Duration> first_media;  // start sent until the first media from the server.
    std::uint64_t frames_sent = 0;
    std::uint64_t media_received = 0;  // Messages.
    std::uint64_t audio_bytes_received = 0;
    std::uint64_t audio_bytes_played = 0;
    std::uint64_t marks_received = 0;
    std::uint64_t marks_echoed = 0;
    std::uint64_t clears = 0;
    std::uint64_t digits_sent = 0;
    Duration media_gap_max{};  // Between two media of one utterance.
    std::uint32_t underruns = 0;
    Duration longest_hole{};
    PacingReport pacing;  // Not with `fast`, which has no time to be late against.
    LedgerCounts ledger;
    Histogram latency;
    Violations violations;
    std::vector<std::uint8_t> sent;  // mu-law, one frame a tick each, on one clock.
    std::vector<std::uint8_t> heard;
};

constexpr Duration upgrade_wait_max = 10s;  // Twilio error 31901.
constexpr Duration after_stop = 250ms;      // From stop to our close frame, for late messages to be seen.
constexpr Duration close_wait_max = 5s;     // For the server's close frame, and for it to close the connection.
constexpr Duration ping_wait_max = 5s;      // With `fast`: no pong for so long is a fault of the server.
constexpr std::string_view ping_after_stop = "after stop";
constexpr std::uint64_t fast_ping_ticks = 25;
constexpr int fast_pings_max = 2;
constexpr std::uint64_t digit_gap_ticks = 15;  // 300 ms: how fast people press keys.
constexpr std::uint64_t burst_ticks = 100;
constexpr std::uint64_t recorded_bytes_max = std::uint64_t{4} * 3600 * 8000;  // Twilio's longest call by default: 4 h.

[[nodiscard]] inline std::uint64_t to_tick(double seconds) {
    return static_cast<std::uint64_t>(seconds * 50);
}
[[nodiscard]] inline std::string_view view(const Frame& frame) {
    return {reinterpret_cast<const char*>(frame.data()), frame.size()};
}

class StreamSession {
public:
    StreamSession(StreamPlan plan, TimePoint now);

    void on_connected(TimePoint now);  // TCP, and TLS, are up.
    void on_connect_failed(Rule rule, std::string_view why);
    void on_bytes(TimePoint now, std::string_view bytes);
    void on_lost(std::string_view why);  // End of file, or an error.
    void on_tick(TimePoint now);
    void hang_up(TimePoint now);

    // Bytes for the socket. The shell takes them from the front.
    [[nodiscard]] std::string& output() { return output_; }
    [[nodiscard]] bool opened() const { return opened_; }
    // Over: the shell sends what is left of output(), unless the end is `cut`, and closes the socket.
    [[nodiscard]] bool ended() const { return phase_ == Phase::ended; }
    // Over for us, but the connection is to stay open (leave-once).
    [[nodiscard]] bool left_open() const { return left_open_; }
    // With `fast`: the next tick need not wait for the wall clock.
    [[nodiscard]] bool may_tick() const { return phase_ == Phase::streaming && pings_out_ < fast_pings_max; }
    [[nodiscard]] const StreamReport& report();
    [[nodiscard]] std::uint64_t ticks() const { return ticks_; }  // Of streaming: how much the caller has said.

private:
    enum class Phase : std::uint8_t { connecting, upgrading, streaming, lingering, stopped, closing, ended };

    void on_upgrade_bytes(TimePoint now, std::string_view bytes);
    void begin(TimePoint now);
    void read_frames(TimePoint now);
    void on_message(TimePoint now, const WsMessage& message);
    void on_text(TimePoint now, std::string_view text);
    void on_media(TimePoint now, std::string_view audio);
    void on_close(std::string_view payload);
    void end(StreamEnd how, std::string_view detail);

    void wait_for_end(TimePoint now);
    void play();
    void send_audio(TimePoint now);
    void send_media(const Frame& frame);
    void send_digits();
    [[nodiscard]] bool apply_faults(TimePoint now);  // False: this tick sends nothing more.
    void inject(FaultKind kind);
    void echo_marks();
    void send_mark(std::string_view name);
    void enter(Phase phase, TimePoint now);
    [[nodiscard]] TimePoint audio_time() const;
    void send_text(std::string_view text);
    void send_close(std::uint16_t code);
    void send_stop();
    [[nodiscard]] std::uint64_t next_sequence();
    [[nodiscard]] bool is_moment(FaultKind kind) const;
    [[nodiscard]] bool is_nth(FaultKind kind, std::uint64_t count) const;

    // given
    StreamPlan plan_;
    // state
    Phase phase_ = Phase::connecting;
    bool opened_ = false;
    bool frozen_ = false;
    bool left_open_ = false;
    bool close_sent_ = false;
    bool close_received_ = false;
    bool stop_was_read_ = false;  // The server answered the ping that followed stop.
    std::uint64_t ticks_ = 0;     // Since the stream opened.
    std::uint64_t sequence_ = 0;
    std::uint64_t chunk_ = 0;
    std::uint64_t first_timestamp_ = 0;
    std::size_t digit_ = 0;
    TimePoint created_at_;
    TimePoint started_at_{};
    TimePoint phase_at_{};
    TimePoint pong_at_{};
    int pings_out_ = 0;
    std::deque<Frame> backlog_;               // Of the fault burst.
    std::optional<TimePoint> last_media_at_;  // In this utterance.
    // owned
    Random random_;
    CallerAudio audio_;
    std::optional<FrameLedger> ledger_;
    ServerMessageReader reader_;
    WsServerFrames frames_;
    Playback playback_;
    Pacing pacing_;
    std::string upgrade_bytes_;
    std::string output_;
    std::string message_;  // Reused for media.
    std::vector<std::string> echoes_;
    struct LateEcho {
        std::uint64_t due_tick;
        std::string name;
    };
    std::deque<LateEcho> late_echoes_;
    StreamReport report_;
};

}  // namespace agentlocator::call
