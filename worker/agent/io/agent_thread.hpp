#pragma once
// The thread on which conversations live: one event loop for the services' sockets, the channel to the media thread and
// the calls' deadlines. It may be slow or stuck without harm to audio; a call is told to it again (call_resumed).
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/config.hpp"
#include "common/io/event_loop.hpp"
#include "common/io/unique_fd.hpp"
#include "store/io/person_reader.hpp"
#include "worker/agent/agent_services.hpp"
#include "worker/agent/call_agent.hpp"
#include "worker/voice/io/agent_channel.hpp"

namespace agentlocator {

struct AgentThreadOptions {
    std::string speech_socket;                       // Of the speech helper; empty: no embedded voice and ear.
    RecordStore* records = nullptr;                  // Empty: facts stay in memory.
    AgentMetrics& metrics;                           // Of the installation.
    AgentEntry& entry;                               // Ours to write.
    std::function<void(std::string_view line)> log;  // From the agent thread; must not block.
    // As AgentServices::own_settings.
    std::function<NamedValues(const std::string& called)> own_settings{};
    PersonReader* people = nullptr;  // Nobody: every caller is new.
};

// What the agent reads from files, before any call.
struct AgentFiles {
    DialogueScript dialogue;
    std::string prompt;
};
// Error: bad_config, with file and place.
[[nodiscard]] Result<AgentFiles> read_agent_files(const AgentSettings& settings);

class AgentThread {
public:
    // Starts the thread. `settings` and `end` outlive it.
    AgentThread(AgentEnd& end, const Settings& settings, AgentFiles files, AgentThreadOptions options);
    ~AgentThread();  // Every operation in flight is given up.
    AgentThread(const AgentThread&) = delete;
    AgentThread& operator=(const AgentThread&) = delete;

    static constexpr int messages_a_round = 512;                        // Then services and deadlines have their turn.
    static constexpr Duration publish_every = std::chrono::seconds(1);  // What AgentEntry shows.
    static constexpr Duration retry_full =
        std::chrono::milliseconds(5);  // The media thread empties its queue each 2 ms.

private:
    void run();
    AgentEnd& end_;
    const Settings& settings_;
    AgentFiles files_;
    AgentThreadOptions options_;
    UniqueFd stop_fd_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

// The calls of one thread; the loop of AgentThread without the thread.
class AgentCalls {
public:
    AgentCalls(AgentServices& services, AgentOutput& output) : services_(services), output_(output) {}

    void on_message(const ToAgentMessage& message, TimePoint now);
    // Runs what is due or was woken, and tells what is ready.
    void work(TimePoint now);
    // When work() is wanted again at the latest; now, if at once.
    [[nodiscard]] std::optional<TimePoint> deadline(TimePoint now) const;
    [[nodiscard]] std::size_t size() const { return calls_.size(); }

private:
    using Key = std::pair<std::uint32_t, std::uint64_t>;  // slot, call
    struct Entry {
        std::unique_ptr<CallAgent> agent;
        std::optional<TimePoint> due;
        bool ready = false;
        bool full = false;  // Its last message was refused.
    };
    void wake(const Key& key);
    void look_at(const Key& key, Entry& entry, TimePoint now);

    AgentServices& services_;
    AgentOutput& output_;
    std::map<Key, Entry> calls_;
    std::set<std::pair<TimePoint, Key>> due_;
    std::vector<Key> ready_;
    std::set<Key> full_;
};

}  // namespace agentlocator
