#pragma once
// Writes facts, on threads of its own, so that nobody ever waits for a disk or a database:
//
//   tell() --mailbox--> spool thread: append, fdatasync, receipts --file--> database thread: apply, delete the file
//
// A fact is acknowledged (receipt) when it is durable in the spool. From then on it survives SIGKILL of this process, a
// power cut, and any absence of the database: whoever lives next applies it. What the database refuses for good is set
// aside in rejected.jsonl, never dropped. When the mailbox or the spool is full, the newest is refused and counted.
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "common/io/mailbox.hpp"
#include "common/time.hpp"
#include "store/facts.hpp"
#include "store/io/open_database.hpp"
#include "store/io/spool.hpp"

namespace agentlocator {

struct StoreOutcome {
    std::uint64_t receipt = 0;
    bool stored = false;
};
struct StoreLine {
    std::string text;  // For the log.
};
// What the writer tells its owner, who reads it in its own loop.
using StoreNews = std::variant<StoreOutcome, StoreLine>;
using StoreNewsBox = Mailbox<StoreNews>;

struct StoreWriterParts {
    DatabaseAddress database;
    std::string spool_folder;
    std::string process;  // Unique name for our spool files.
    SpoolLimits limits{};
    DatabasePatience patience{};
    StoreNewsBox* log = nullptr;  // Where lines go.
    // A message to be sent is in the database now. Called on the database thread; must not wait.
    std::function<void()> on_message_out{};
    std::function<void()> on_message_in{};  // The same of a message that may want an answer.
};

enum class DatabaseState : std::uint8_t { starting, ok, lost, refused };
[[nodiscard]] std::string_view to_string(DatabaseState state);

// Any thread may look.
struct StoreCounters {
    std::atomic<std::uint64_t> told{0};
    std::atomic<std::uint64_t> applied{0};
    std::atomic<std::uint64_t> rejected{0};     // Set aside.
    std::atomic<std::uint64_t> lost{0};         // Refused: mailbox or spool full, disk failed.
    std::atomic<std::uint64_t> spool_bytes{0};  // Not yet applied.
    std::atomic<DatabaseState> state{DatabaseState::starting};
};

class StoreWriter {
public:
    static constexpr std::size_t told_max = 8192;  // Facts in memory: some seconds of a busy host.

    explicit StoreWriter(StoreWriterParts parts);
    // Applies what it can within `last_wish`; the rest stays in the spool.
    ~StoreWriter();
    StoreWriter(const StoreWriter&) = delete;
    StoreWriter& operator=(const StoreWriter&) = delete;

    // Never waits. With `box` the outcome comes there, exactly once, under `receipt`. Without: told and forgotten.
    void tell(Fact fact, StoreNewsBox* box = nullptr, std::uint64_t receipt = 0);

    [[nodiscard]] const StoreCounters& counters() const { return counters_; }

    static constexpr Duration sync_every = std::chrono::seconds(1);  // For facts that nobody waits for.
    static constexpr Duration orphans_every = std::chrono::seconds(3);
    static constexpr Duration retry_first = std::chrono::milliseconds(100);
    static constexpr Duration retry_longest = std::chrono::seconds(5);
    static constexpr Duration last_wish = std::chrono::seconds(1);
    static constexpr std::size_t applied_at_once_max = 256;  // Facts in one transaction: long enough to be cheap.

private:
    struct Told {
        Fact fact;
        StoreNewsBox* box = nullptr;
        std::uint64_t receipt = 0;
    };

    void run_spool();
    void spool_batch(std::vector<Told> batch);
    [[nodiscard]] Result<void> make_durable(const std::string& records, bool sync_now);
    void answer(const std::vector<Told>& batch, bool stored);

    void run_database();
    [[nodiscard]] Result<void> connect();
    [[nodiscard]] Result<bool> apply_some();  // False: nothing waits.
    [[nodiscard]] Result<void> apply_records(const std::vector<std::string_view>& bodies);
    [[nodiscard]] Result<void> apply_one_by_one(std::span<const Fact> facts);
    [[nodiscard]] Result<void> set_aside(std::string_view body, const std::string& why);
    void on_database_fault(const Error& fault);
    void on_database_well();
    bool sleep_database(Duration most);  // False: stopping.
    void say(std::string line);

    const StoreWriterParts parts_;
    StoreCounters counters_;
    Mailbox<Told> told_{told_max};
    std::atomic<bool> stopping_{false};

    std::mutex mutex_;  // Guards the spool; taken by the two threads below only.
    std::condition_variable changed_;
    Spool spool_;
    bool spool_done_ = false;
    std::uint64_t changes_ = 0;

    // Spool thread only.
    TimePoint synced_at_{};
    bool unsynced_ = false;
    bool spool_failing_ = false;

    // Database thread only.
    std::unique_ptr<Database> database_;
    Duration retry_ = retry_first;
    TimePoint orphans_at_{};
    std::uint64_t faults_in_a_row_ = 0;

    std::thread spool_thread_;
    std::thread database_thread_;
};

}  // namespace agentlocator
