#pragma once
// The thread that answers /api: it may ask the database, and so may wait. Requests come and answers go by mailbox; the
// media thread only parses and passes on. A request that needs no database never stands behind one that does, within
// one batch.
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
    static constexpr std::size_t questions_max = 256;  // More wait in nobody's memory: 503.

    ApiThread(Settings settings, DatabaseAddress database);
    ~ApiThread();
    ApiThread(const ApiThread&) = delete;
    ApiThread& operator=(const ApiThread&) = delete;

    // False: too many wait already. Never waits.
    [[nodiscard]] bool ask(ApiQuestion question) { return questions_.push(std::move(question)); }
    [[nodiscard]] Mailbox<ApiResult>& results() { return results_; }

private:
    void run();
    void answer(const ApiQuestion& question, bool with_database);
    [[nodiscard]] Database* database();

    const Settings settings_;
    const DatabaseAddress address_;
    Mailbox<ApiQuestion> questions_{questions_max};
    Mailbox<ApiResult> results_{2 * questions_max};
    std::atomic<bool> stopping_{false};
    std::unique_ptr<Database> database_;
    TimePoint open_again_{};
    std::thread thread_;
};

}  // namespace agentlocator
