#pragma once
// What the HTTP side of a worker knows when it answers a request, and what it may answer. Values only: the shell fills
// a WebContext, calls route(), writes the log lines and sends the answer. Nothing here touches disk, network or clock.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/agent_metrics.hpp"
#include "common/config.hpp"
#include "common/http_message.hpp"
#include "common/message_metrics.hpp"
#include "common/ws_mode.hpp"
#include "store/facts.hpp"
#include "store/last_stream.hpp"

namespace agentlocator {

// Which build answers (F-3). Empty texts are shown as "dev".
struct BuildInfo {
    std::string version;     // AGENTLOCATOR_VERSION
    std::string build;       // Id of the build that runs.
    std::string commit;      // GIT_COMMIT
    std::string build_time;  // BUILD_TIME
    std::string deploy_id;   // DEPLOY_ID
};

// A service as one worker sees it.
struct ProviderMetrics {
    std::string_view stage;
    std::string name;
    std::uint32_t breaker = 0;  // 0 closed, 1 open, 2 trying
    std::uint64_t started = 0;
    std::uint64_t failed = 0;
};

// Counters of one worker, as they lie in its slab entry.
struct WorkerMetrics {
    std::string worker;  // Label: the slot's name or the entry's index.
    std::uint64_t calls = 0;
    std::uint64_t calls_served = 0;
    std::uint64_t connections = 0;
    std::uint64_t requests = 0;
    std::uint64_t refused = 0;
    std::uint64_t log_lines_dropped = 0;
    std::uint64_t frames_in = 0;
    std::uint64_t frames_out = 0;
    double heartbeat_age_seconds = 0;
    std::uint64_t conversations = 0;
    std::vector<ProviderMetrics> providers{};
};

// One reason for /readyz to say 503.
struct ReadyProblem {
    std::string code;  // "no_supervisor", "draining", "slot_held"
    std::string cause;
};

// The store as this worker sees it (store/io/store_writer).
struct StoreMetrics {
    std::string_view database = "disabled";  // "starting", "ok", "lost", "refused"
    std::uint64_t told = 0;
    std::uint64_t applied = 0;
    std::uint64_t rejected = 0;
    std::uint64_t lost = 0;
    std::uint64_t spool_bytes = 0;
};

// Valid for one call of route().
struct WebContext {
    const Settings& settings;
    const BuildInfo& build;
    std::string_view instance;        // Of the supervisor: proves whose process holds the port (P1).
    std::string_view worker;          // Which worker answers; the label of its metrics.
    std::string_view remote_address;  // Numeric address of the TCP peer, without port.
    WsMode mode = WsMode::ai;         // For new calls.
    std::uint32_t live_calls = 0;     // Of the whole installation.
    std::uint64_t poisoned = 0;       // Calls closed for ending two workers.
    std::uint64_t resumed = 0;        // Streams that went on with a call whose connection was lost.
    std::uint32_t call_capacity = 0;  // Slots of the slab; MAX_CONCURRENT_CALLS may set a lower limit.
    std::int64_t now = 0;             // Wall clock, seconds since 1970: tokens and documents, never intervals.
    std::int64_t now_ms = 0;          // Same clock, for facts.
    std::int64_t started_at = 0;      // Same clock, when the supervisor (or a lone worker) started.
    // What became of a call's newest stream: of one that had it here (worker/call_record), or as the store knows it.
    std::function<std::optional<LastStream>(std::string_view call_sid)> last_stream{};
    // Called for /readyz and /metrics only, so that the other routes do not pay for the collecting.
    std::function<std::vector<ReadyProblem>()> problems;
    std::function<std::vector<WorkerMetrics>()> metrics;  // All workers: any of them may be asked.
    StoreMetrics store{};                                 // Of this worker.
    const AgentMetrics* conversations = nullptr;          // Of all workers; null: not known.
    const MessageMetrics* messages = nullptr;             // The same.
};

// The request is a sound WebSocket upgrade of the media path. Send `response` (head of the 101, complete) and hand the
// connection to the stream; bytes behind the request belong to it. No HTTP may be sent afterwards (F-10).
struct AcceptStream {
    std::string response;
    bool subprotocol = false;  // audio.twilio.com was offered, and is named in the response.
};

// The answer comes later, from another thread; the connection waits for it.
struct AnswerLater {
    std::uint64_t ticket = 0;
};

struct RouteResult {
    std::variant<HttpResponse, AcceptStream, AnswerLater> answer;
    std::vector<std::string> log{};  // Whole lines, without line break, ready to be written.
    bool refused = false;            // Turned away (P8): counted in WorkerEntry::refused.
    std::vector<Fact> facts{};       // For the store.
    // Present: `answer` acknowledges the facts and waits until they are durable; this is the answer when they are not.
    std::optional<HttpResponse> unless_stored{};
    // The call had no stream here: the store may know it, and route() with that answers in place of this.
    bool ask_store = false;
};

}  // namespace agentlocator
