#pragma once
// The threads that answer /api: one may ask the database, and so may wait; the other asks the WhatsApp bridge, which
// may take as long as WhatsApp does. Requests come and answers go by mailbox; the media thread only parses and passes
// on. A request that needs no database never stands behind one that does, within one batch.
//
// Twilio's question what to do with a call whose stream ended comes here, too, when no worker of this host carried it.
// A stream without a known end is asked for again until that is the last word (store/last_stream.hpp).
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/config.hpp"
#include "common/io/mailbox.hpp"
#include "store/io/open_database.hpp"
#include "worker/web_context.hpp"

namespace agentlocator {

// What /webhook/stream_ended is answered from, beside the store.
struct StreamEnd {
    std::string instance;
    std::string remote_address;
};
struct ApiQuestion {
    std::uint64_t ticket = 0;
    HttpRequest request;
    std::string path;  // As it is matched.
    std::optional<StreamEnd> stream_end{};
};
struct ApiResult {
    std::uint64_t ticket = 0;
    RouteResult result;
};

class ApiThread {
public:
    static constexpr std::size_t questions_max = 256;        // More wait in nobody's memory: 503.
    static constexpr std::size_t bridge_questions_max = 16;  // People who pair a phone, or look whether it is paired.
    static constexpr auto bridge_patience = std::chrono::seconds(25);  // A pairing code comes from WhatsApp.
    static constexpr Duration ask_again = std::chrono::milliseconds(200);

    ApiThread(Settings settings, DatabaseAddress database);
    ~ApiThread();
    ApiThread(const ApiThread&) = delete;
    ApiThread& operator=(const ApiThread&) = delete;

    // False: too many wait already. Never waits.
    [[nodiscard]] bool ask(ApiQuestion question);
    [[nodiscard]] Mailbox<ApiResult>& results() { return results_; }

private:
    void run();
    void run_bridge();
    [[nodiscard]] HttpResponse answer_by_bridge(const ApiQuestion& question) const;
    void answer(const ApiQuestion& question, bool with_database);
    void answer_stream_ends();
    [[nodiscard]] std::optional<LastStream> last_stream(std::string_view call_sid);
    [[nodiscard]] Database* database();

    const Settings settings_;
    const DatabaseAddress address_;
    Mailbox<ApiQuestion> questions_{questions_max};
    Mailbox<ApiQuestion> bridge_questions_{bridge_questions_max};
    Mailbox<ApiResult> results_{2 * (questions_max + bridge_questions_max)};
    std::atomic<bool> stopping_{false};
    std::unique_ptr<Database> database_;
    TimePoint open_again_{};
    struct Waiting {
        ApiQuestion question;
        TimePoint asked_at;
    };
    std::vector<Waiting> stream_ends_;
    std::thread thread_;
    std::thread bridge_thread_;
};

}  // namespace agentlocator
