#pragma once
// Works off the outbox: leases what is due, hands it to a provider, notes what became of it. Any worker may do any
// message; who dies in the middle lets its lease run out, and another goes on under the same id.
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "common/config.hpp"
#include "common/io/mailbox.hpp"
#include "store/io/open_database.hpp"
#include "worker/api/delivery.hpp"
#include "worker/api/rate_limit.hpp"

namespace agentlocator {

class OutboxThread {
public:
    static constexpr auto look_every = std::chrono::seconds(1);  // For what other workers left.
    static constexpr auto lease = std::chrono::seconds(60);      // Longer than any request of ours takes.
    static constexpr std::int64_t jobs_at_once = 4;
    // WhatsApp restricts numbers that write too much: so many at once, then one each so often.
    static constexpr double number_burst = 5;
    static constexpr auto number_every = std::chrono::seconds(3);
    static constexpr double person_burst = 5;
    static constexpr auto person_every = std::chrono::seconds(10);

    OutboxThread(Settings settings, DatabaseAddress database, std::string owner, std::function<void(std::string)> say);
    ~OutboxThread();
    OutboxThread(const OutboxThread&) = delete;
    OutboxThread& operator=(const OutboxThread&) = delete;

    void wake() { wake_.wake(); }  // Something was stored. Any thread.

private:
    void run();
    void work(Database& database);
    void deliver(Database& database, const OutboxJob& job, ProvidersNow can_send);
    [[nodiscard]] DeliveryOutcome send(Database& database, const OutboxJob& job, WhatsAppProvider provider) const;
    [[nodiscard]] DeliveryOutcome send_by_bridge(const OutboxJob& job) const;
    [[nodiscard]] DeliveryOutcome send_by_twilio(Database& database, const OutboxJob& job) const;
    [[nodiscard]] ProvidersNow providers() const;

    const Settings settings_;
    const DatabaseAddress address_;
    const std::string owner_;
    const std::function<void(std::string)> say_;
    Mailbox<int> wake_{1};
    std::atomic<bool> stopping_{false};
    RateLimit numbers_{number_burst, number_every, 1024};
    RateLimit people_{person_burst, person_every, 16'384};
    std::thread thread_;
};

}  // namespace agentlocator
