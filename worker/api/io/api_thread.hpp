#pragma once
// The threads that answer /api: one may ask the database, and so may wait; the other asks the WhatsApp bridge, which
// may take as long as WhatsApp does. Requests come and answers go by mailbox; the media thread only parses and passes
// on. A request that needs no database never stands behind one that does, within one batch.
#include <memory>
#include <string>
#include <thread>

#include "common/config.hpp"
#include "common/io/mailbox.hpp"
#include "store/io/open_database.hpp"
#include "worker/web_context.hpp"

namespace agentlocator {

struct ApiQuestion {
    std::uint64_t ticket = 0;
    HttpRequest request;
    std::string path;  // As it is matched.
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
    [[nodiscard]] Database* database();

    const Settings settings_;
    const DatabaseAddress address_;
    Mailbox<ApiQuestion> questions_{questions_max};
    Mailbox<ApiQuestion> bridge_questions_{bridge_questions_max};
    Mailbox<ApiResult> results_{2 * (questions_max + bridge_questions_max)};
    std::atomic<bool> stopping_{false};
    std::unique_ptr<Database> database_;
    TimePoint open_again_{};
    std::thread thread_;
    std::thread bridge_thread_;
};

}  // namespace agentlocator
