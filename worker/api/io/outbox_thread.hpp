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

namespace agentlocator {

class OutboxThread {
public:
    static constexpr auto look_every = std::chrono::seconds(1);  // For what other workers left.
    static constexpr auto lease = std::chrono::seconds(60);      // Longer than any request of ours takes.
    static constexpr std::int64_t jobs_at_once = 4;
    // Through Twilio: WhatsApp restricts numbers that write too much. All workers and hosts together
    // (store/send_limits); so many at once, then one each so often.
    static constexpr std::int64_t number_at_once = 5;
    static constexpr std::chrono::milliseconds number_every = std::chrono::seconds(3);
    static constexpr std::int64_t person_at_once = 5;
    static constexpr std::chrono::milliseconds person_every = std::chrono::seconds(10);
    static constexpr auto prune_every = std::chrono::minutes(10);

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
    std::thread thread_;
};

}  // namespace agentlocator
