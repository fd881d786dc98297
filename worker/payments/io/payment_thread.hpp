#pragma once
// The threads that answer what concerns payments: they ask the database and the provider, and so may wait for seconds.
// Several, so that a provider that hangs does not hold up everybody; the first also looks up payments that nothing
// final is known of, when no other worker does. They share nothing but the mailbox of answers.
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "worker/api/io/api_thread.hpp"
#include "worker/payments/payments.hpp"

namespace agentlocator {

class PaymentThreads {
public:
    static constexpr std::size_t questions_max = 64;  // Waiting for one thread; more are refused (503).
    static constexpr std::size_t threads = 3;
    // A client has given up by then (HttpPeer): what is still unanswered is not begun any more.
    static constexpr Duration stale_after = std::chrono::seconds(20);
    static constexpr auto look_every = std::chrono::seconds(60);
    static constexpr std::int64_t looks_at_once = 20;

    // `say` writes a line of the log; any thread.
    PaymentThreads(Settings settings, DatabaseAddress database, std::string owner,
                   std::function<void(std::string)> say);
    ~PaymentThreads();
    PaymentThreads(const PaymentThreads&) = delete;
    PaymentThreads& operator=(const PaymentThreads&) = delete;

    // False: too many wait already. Never waits.
    [[nodiscard]] bool ask(ApiQuestion question);
    [[nodiscard]] Mailbox<ApiResult>& results() { return results_; }

private:
    struct Waiting {
        ApiQuestion question;
        TimePoint asked_at;
    };
    struct Desk;  // One thread and what is its own.
    void run(Desk& desk);
    void answer(Desk& desk, const Waiting& waiting);
    void look_up_open(Desk& desk);

    const Settings settings_;
    const DatabaseAddress address_;
    const std::string owner_;
    const std::function<void(std::string)> say_;
    Mailbox<ApiResult> results_{2 * threads * questions_max};
    std::atomic<bool> stopping_{false};
    std::vector<std::unique_ptr<Desk>> desks_;
};

}  // namespace agentlocator
