#pragma once
// Messages that wait for an answer, and how an answer is stored: with everything that came of it, or not at all. A
// process that dies before that has answered nothing, after it everything; whoever goes on sees which.
#include <optional>
#include <string>
#include <vector>

#include "store/database.hpp"
#include "store/facts.hpp"
#include "store/person.hpp"

namespace agentlocator {

// One message to be answered now.
struct InboxJob {
    std::string provider{};
    std::string message_id{};
    std::int64_t business = 0;
    std::string phone{};  // E.164; empty: only the address is known.
    std::string to{};     // Our number.
    std::string address{};
    std::string name{};
    std::string kind{};
    std::string text{};
    std::string media{};  // JSON array of {"url","mime"}; empty: no file.
    std::int64_t stored_at = 0;
    std::int64_t arrival = 0;
    std::int64_t attempts = 0;  // This one included.

    // One person, one conversation.
    [[nodiscard]] const std::string& person() const { return phone.empty() ? address : phone; }
};

// Takes up to `limit` messages for `owner` until then, at most one of each person, the one that came first. No two
// processes get the same one, nor two messages of the same person.
[[nodiscard]] Result<std::vector<InboxJob>> lease_inbox(Database& database, const std::string& owner,
                                                        std::int64_t now_ms, std::int64_t until_ms, std::int64_t limit);
// Whether anything is due: cheap, and without a lock.
[[nodiscard]] Result<bool> has_due_inbox(Database& database, std::int64_t now_ms);
// Not answered this time: again at `next_ms`. Only the owner of the lease may say so.
[[nodiscard]] Result<void> postpone_inbox(Database& database, const InboxJob& job, const std::string& owner,
                                          std::int64_t next_ms);

// What an answer to that message is made from.
[[nodiscard]] Result<PersonRecord> load_person(Database& database, const InboxJob& job);

// The answer and what came of it, in one transaction. `heard`: what the message's voice note says; it is its text from
// now on. False: the lease is somebody else's by now, nothing is stored.
[[nodiscard]] Result<bool> store_answer(Database& database, const InboxJob& job, const std::string& owner,
                                        const std::vector<Fact>& facts, const std::string& state, std::int64_t now_ms,
                                        const std::string& heard = {});

// Of a process that is known to be dead: what it had in hand is free at once.
[[nodiscard]] Result<void> free_leases(Database& database, const std::string& owner);

}  // namespace agentlocator
