#pragma once
// The worker: one thread that accepts, answers HTTP and moves audio. Slow work belongs on other threads.
//
//   serving --drain--> draining --nothing left--> done
//
// With calls on, it looks at its sockets once per media tick instead of at each arrival: at 100 calls that costs a
// quarter of the CPU, for at most a tick of delay (docs/decisions.md).
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/io/packet_channel.hpp"
#include "store/io/store_writer.hpp"
#include "worker/api/api_gate.hpp"
#include "worker/api/io/api_thread.hpp"
#include "worker/io/http_peer.hpp"
#include "worker/io/log_writer.hpp"
#include "worker/io/media_peer.hpp"
#include "worker/line_budget.hpp"
#include "worker/payments/io/payment_thread.hpp"
#include "worker/voice/io/agent_channel.hpp"

namespace agentlocator {

struct ServerParts {
    Settings settings;
    BuildInfo build;
    CallSlab& slab;
    std::uint32_t worker;  // Our entry in the slab.
    std::string seat;      // Our slot's name, for people.
    UniqueFd listener;     // Non-blocking, listening.
    UniqueFd control;      // To the supervisor; empty when alone.
    UniqueFd slab_file;    // The slab's descriptor, for the next supervisor; empty when alone.
    UniqueFd signals;      // signalfd of SIGTERM and SIGINT, both blocked.
    Conversation& conversation;
    MediaEnd* agent = nullptr;           // To the agent thread; null when there is none.
    StoreWriter* store = nullptr;        // Null: nothing is remembered.
    StoreNewsBox* store_news = nullptr;  // Its outcomes and lines come here.
    ApiThread* api = nullptr;            // Null: no /api.
    PaymentThreads* payments = nullptr;  // Null: no payments.
    std::string admin_token{};
};

class Server {
public:
    explicit Server(ServerParts parts);
    ~Server();

    // Serves until drained or stopped. Returns the exit status.
    [[nodiscard]] int run();

    // A line on standard output, by the log thread.
    void say(std::string_view line) { log_.line(line); }

private:
    class Listener;
    // A request whose answer waits for the store.
    struct Held {
        HttpPeer* peer;
        HttpResponse stored;
        HttpResponse unless_stored;
        std::size_t facts;  // Still unanswered.
        TimePoint deadline;
    };

    void turn();
    [[nodiscard]] bool may_block();
    void hear_agent(TimePoint now);
    void sweep(TimePoint now);
    void accept_all();
    void make_room();
    void purge_http();
    void add_http(UniqueFd socket, std::string address);
    RouteResult on_request(const HttpRequest& request, HttpPeer& peer);
    // server_store.cpp
    void tell_store(RouteResult& result, HttpPeer& peer);
    void tell_store(const CallState& call, bool ended);
    void on_store_news();
    [[nodiscard]] std::optional<RouteResult> ask_api(const HttpRequest& request, HttpPeer& peer);
    [[nodiscard]] std::optional<RouteResult> ask_payments(const HttpRequest& request, std::string& path,
                                                          HttpPeer& peer);
    [[nodiscard]] std::optional<RouteResult> ask_stream(const HttpRequest& request, HttpPeer& peer);
    void on_api_results(Mailbox<ApiResult>& results);
    void settle(std::uint64_t ticket, bool stored);
    void give_up_waiting(TimePoint now);
    [[nodiscard]] StoreMetrics store_metrics() const;
    void refuse(std::span<const std::string> lines);
    void on_stream(UniqueFd socket, const AcceptStream& stream, std::span<const char> behind);
    void on_packet(const ControlPacket& packet, UniqueFd fd);
    void adopt_link(UniqueFd control);
    // Without a supervisor (server_orphan.cpp): serve on, look for the next, hand it everything.
    void on_supervisor_lost();
    void seek_supervisor();
    void hand_back();
    void on_adopted();
    void on_orphan_deadline();
    void tell(PacketType type, std::uint32_t slot = no_slot, std::uint64_t call = 0, std::uint32_t arg = 0,
              int fd = -1);
    void adopt(const ControlPacket& packet, UniqueFd socket);
    [[nodiscard]] bool unpack(const ControlPacket& packet);
    void cut(const ControlPacket& packet, const UniqueFd& socket);
    void release(const ControlPacket& packet);
    void add_peer(std::unique_ptr<MediaPeer> peer);
    void on_call_done(MediaPeer& peer);
    // A stream with this token goes on with an older one of its call.
    [[nodiscard]] std::optional<ResumedCall> resumed(std::string_view call_sid, std::string_view token);
    void end_superseded();
    void remove_peer(std::uint32_t slot);
    // Accept no more, finish what is open, then leave. At once when `deadline` passes.
    void drain(std::optional<Duration> deadline);
    void on_signal();
    void close_calls(std::string_view why);
    void check_drained();
    void count_calls();
    [[nodiscard]] std::uint32_t live_calls() const;
    [[nodiscard]] std::vector<ReadyProblem> problems() const;
    [[nodiscard]] std::vector<WorkerMetrics> metrics() const;

    Settings settings_;
    BuildInfo build_;
    CallSlab& slab_;
    const std::uint32_t worker_;
    WorkerEntry& entry_;
    const std::string seat_;
    EventLoop loop_;
    LogWriter log_;
    MediaEnd* const agent_;
    FunctionSink agent_sink_;
    std::vector<std::uint32_t> told_;  // Slots the agent spoke of in this turn.
    StreamContext context_;
    std::unique_ptr<StreamScratch> scratch_;
    MediaShell media_shell_;
    std::vector<char> buffer_;
    HttpShell http_shell_;
    UniqueFd listener_;
    std::unique_ptr<Listener> listener_sink_;
    StoreWriter* const store_;
    StoreNewsBox* const store_news_;
    FunctionSink store_sink_;
    std::map<std::uint64_t, Held> held_;  // By ticket.
    ApiThread* const api_;
    PaymentThreads* const payments_;
    ApiGate api_gate_;
    FunctionSink api_sink_;
    FunctionSink payments_sink_;
    std::map<std::uint64_t, HttpPeer*> asked_;  // Whose request another thread has, by ticket.
    std::uint64_t next_ticket_ = 1;
    std::unique_ptr<PacketChannel> link_;  // Empty while there is no supervisor.
    UniqueFd slab_file_;
    UniqueFd bridge_;  // pidfd of the WhatsApp bridge.
    UniqueFd signals_;
    FunctionSink signal_sink_;
    std::list<std::unique_ptr<HttpPeer>> http_;                  // Oldest first.
    std::map<std::uint32_t, std::unique_ptr<MediaPeer>> calls_;  // By slot.
    struct Parted {
        std::uint32_t slot;
        UniqueFd socket;
        UniqueFd snapshot;  // On its way to the supervisor; empty: none was asked for.
    };
    // Released calls that nobody is known to carry yet, by serial number: should the supervisor die in the middle of a
    // hand-over, the connection lives here.
    std::map<std::uint64_t, Parted> parted_;
    std::map<std::uint64_t, UniqueFd> snapshots_;  // Of calls that are about to be adopted, by serial number.
    const std::int64_t started_at_;
    std::uint32_t next_slot_ = 0;
    TimePoint next_sweep_{};
    TimePoint next_tick_{};
    TimePoint accept_again_{};
    std::optional<TimePoint> drain_deadline_;
    std::optional<TimePoint> orphan_deadline_;
    LineBudget refusal_lines_;
    bool draining_ = false;
    bool orphaned_ = false;  // From the loss of the supervisor until the next one says `adopted`.
    bool listening_ = false;
    bool purging_ = false;
    std::uint64_t superseded_seen_ = 0;
    bool done_ = false;
};

}  // namespace agentlocator
