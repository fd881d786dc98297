#pragma once
// Takes the bridge's events over into the store: asks, stores, and only then acknowledges, so that an event is either
// in the store or still with the bridge. One worker of all does it, by a file lock that the kernel drops when its owner
// dies; the next one goes on at once. Blocking work, on a thread of its own.
//
//   waiting for the lock --lock--> asking --events--> storing --stored--> acknowledging --> asking
#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <thread>

#include "common/config.hpp"
#include "common/io/mailbox.hpp"
#include "common/message_metrics.hpp"
#include "store/facts.hpp"
#include "store/io/open_database.hpp"

namespace agentlocator {

class BridgeReader {
public:
    static constexpr auto lock_every = std::chrono::milliseconds(250);  // A dead reader's successor is that late.
    static constexpr auto wait_for_events = std::chrono::seconds(5);
    static constexpr auto retry_first = std::chrono::milliseconds(100);
    static constexpr auto retry_longest = std::chrono::seconds(2);
    static constexpr int events_at_once = 200;  // One transaction: short enough for other writers' patience.

    // `on_message`: somebody waits for an answer, it is in the store. On this thread.
    BridgeReader(const Settings& settings, DatabaseAddress database, MessageMetrics& metrics,
                 std::function<void()> on_message, std::function<void(std::string)> say);
    ~BridgeReader();
    BridgeReader(const BridgeReader&) = delete;
    BridgeReader& operator=(const BridgeReader&) = delete;

private:
    void run();
    [[nodiscard]] bool read_once(Database& database);  // False: something failed; not at once again.
    [[nodiscard]] bool store(Database& database, std::span<const Fact> facts);
    void complain(const std::string& cause, std::string_view remedy);

    const Settings& settings_;
    const DatabaseAddress address_;
    MessageMetrics& metrics_;
    const std::function<void()> on_message_;
    const std::function<void(std::string)> say_;
    Mailbox<int> wake_{1};
    std::atomic<bool> stopping_{false};
    std::string complaint_;  // The last one: said once.
    std::thread thread_;
};

}  // namespace agentlocator
