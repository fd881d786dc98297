#pragma once
// One telephone call as Twilio leads it: ask for TwiML, obey its verbs, hold the stream, ask the action, report. Pure:
// answers and stream ends go in, requests and streams to open come out of take_actions().
//
//   fetching --TwiML--> (verbs) --Pause--> pausing --deadline--> (verbs)
//                        |  --Connect/Stream--> streaming --over--> fetching (its action) or (next verb)
//                        |  --Redirect--> fetching
//                        `--Hangup, Reject, the end, the caller hangs up--> reporting --last callback answered--> done
//
// When the caller hangs up inside a stream, the action of its <Connect> is still asked (CallStatus=completed), since
// the product finishes its call record there; the answer must be TwiML, but nobody is left to obey it for.
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "supervisor/call/stream_session.hpp"
#include "supervisor/call/twiml.hpp"
#include "supervisor/call/url.hpp"

namespace agentlocator::call {

constexpr int documents_max = 64;  // TwiML documents in one call; a server that loops must not hold us for ever.
constexpr int redirects_max = 10;  // Twilio error 11215.

struct CallPlan {
    Url dialled;             // Where connections go, see route().
    Url named;               // What Twilio has configured as the server's address; dialled, if nothing else.
    bool tunnelled = false;  // `named` differs: X-Forwarded-Proto is sent, as a tunnel would.
    std::string voice_target = "/webhook/incoming_call";
    std::string status_target = "/webhook/call_status";  // Empty: no status callback is configured.
    std::string stream_target;  // Not empty: no TwiML is asked for, the stream is opened directly.
    std::string auth_token;     // Empty: nothing is signed.
    std::string from;
    std::string to;
    StreamPlan stream;  // What every stream of the call is like: audio, faults, length.
    std::chrono::system_clock::time_point started_wall{};
    std::uint64_t seed = 1;
};

enum class FetchPurpose : std::uint8_t { voice, callback };  // The answer is obeyed | only judged.

struct Fetch {
    std::uint64_t id;
    Route route;
    std::string method;
    std::string body;                  // A form; empty with GET.
    std::vector<std::string> headers;  // "Name: value".
};
struct OpenStream {
    Route route;
    StreamPlan plan;
};
struct HangUpStream {};
using CallAction = std::variant<Fetch, OpenStream, HangUpStream>;

struct CallEvent {
    Duration at;  // Since the call began.
    std::string text;
};

struct CallReport {
    std::optional<Duration> answered;  // First TwiML asked for until it was there.
    bool reached = false;              // Any HTTP answer or connection at all.
    std::vector<CallEvent> events;
    std::vector<StreamReport> streams;
    Violations violations;  // Of the HTTP side; each stream has its own.
    std::string hint;       // What to do, when we can tell; else empty.
};

class CallFlow {
public:
    explicit CallFlow(CallPlan plan);

    void start(TimePoint now);
    void on_answer(TimePoint now, std::uint64_t fetch, const HttpAnswer& answer);
    void on_stream_opened(TimePoint now);
    void on_stream_over(TimePoint now, StreamReport report, std::uint64_t ticks);
    void on_deadline(TimePoint now);
    void hang_up(TimePoint now);  // The caller does, whatever is going on.

    [[nodiscard]] std::vector<CallAction> take_actions() { return std::exchange(actions_, {}); }
    [[nodiscard]] std::optional<TimePoint> deadline() const { return deadline_; }
    [[nodiscard]] bool done() const { return state_ == State::done; }
    [[nodiscard]] const CallReport& report() const { return report_; }
    [[nodiscard]] const std::string& call_sid() const { return plan_.stream.ids.call_sid; }

private:
    enum class State : std::uint8_t { idle, fetching, pausing, streaming, reporting, done };

    void run_verbs(TimePoint now);
    // True: go on with the next verb.
    [[nodiscard]] bool run_verb(TimePoint now, const TwimlNode& verb);
    [[nodiscard]] bool connect(TimePoint now, const TwimlNode& verb);
    void open_stream(TimePoint now, const Url& url, const TwimlNode* stream);
    void fetch_twiml(TimePoint now, std::string_view reference, std::string_view method, std::string_view why);
    void fetch(const Url& url, std::string_view method, const FormParameters& parameters, FetchPurpose purpose,
               std::string_view name);
    void post_stream_status(TimePoint now, std::string_view event, std::string_view failure);
    void finish(TimePoint now);
    void settle();
    void note(TimePoint now, std::string text);
    [[nodiscard]] FormParameters voice_parameters() const;
    [[nodiscard]] std::string token() const;
    [[nodiscard]] std::string wall_time(TimePoint now) const;

    struct Pending {
        FetchPurpose purpose;
        std::string name;
        Url url;
    };

    // given
    CallPlan plan_;
    // state
    State state_ = State::idle;
    bool hung_up_ = false;
    std::string status_ = "ringing";
    TimePoint started_at_{};
    Url document_;  // Where the current TwiML came from.
    std::vector<TwimlNode> verbs_;
    std::size_t next_verb_ = 0;
    int documents_ = 0;
    int redirects_ = 0;
    std::uint64_t ticks_left_ = 0;
    std::optional<TimePoint> deadline_;
    std::string connect_action_;
    std::string connect_method_;
    bool has_action_ = false;
    std::string stream_callback_;
    std::string stream_name_;
    std::string stream_sid_;
    std::uint64_t next_fetch_ = 1;
    // owned
    Random random_;
    std::map<std::uint64_t, Pending> pending_;
    std::vector<CallAction> actions_;
    CallReport report_;
};

}  // namespace agentlocator::call
