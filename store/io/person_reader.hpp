#pragma once
// Reads what is known of callers, on a thread of its own, so that whoever answers a call never waits for the database.
// One asker. A database that is slow or away answers late, with nothing, or not at all; a question is dropped when it
// waited longer than `useful_for`.
#include <atomic>
#include <string>
#include <thread>

#include "common/io/mailbox.hpp"
#include "common/time.hpp"
#include "store/io/open_database.hpp"
#include "store/person.hpp"

namespace agentlocator {

class PersonReader {
public:
    struct Question {
        std::uint64_t id = 0;  // Of the asker.
        std::string called{};  // It decides whose caller this is.
        std::string phone{};   // E.164
        std::string call_sid{};
        TimePoint asked_at{};
    };
    struct Answer {
        std::uint64_t id = 0;
        PersonRecord record{};
    };
    static constexpr std::size_t waiting_max = 256;  // Calls that begin or move at once; more go on without.
    static constexpr Duration useful_for = std::chrono::seconds(10);

    explicit PersonReader(DatabaseAddress database);
    ~PersonReader();
    PersonReader(const PersonReader&) = delete;
    PersonReader& operator=(const PersonReader&) = delete;

    // False: too many wait. Never blocks.
    [[nodiscard]] bool ask(Question question) { return questions_.push(std::move(question)); }
    [[nodiscard]] Mailbox<Answer>& answers() { return answers_; }

private:
    void run();
    [[nodiscard]] Database* database();
    [[nodiscard]] Result<PersonRecord> read(Database& database, const Question& question) const;

    const DatabaseAddress address_;
    Mailbox<Question> questions_{waiting_max};
    Mailbox<Answer> answers_{waiting_max};
    std::atomic<bool> stopping_{false};
    std::unique_ptr<Database> database_;  // Opened by the first question: a worker without calls needs none.
    std::thread thread_;
};

}  // namespace agentlocator
