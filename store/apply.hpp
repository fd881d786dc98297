#pragma once
// Puts a fact into the database. Idempotent and commutative: any number of times, in any order, from any process, the
// same rows result (tests/unit/store/apply_test.cpp shuffles and repeats). That is what makes the spool simple: it may
// apply a record again after every crash.
#include "store/database.hpp"
#include "store/facts.hpp"

namespace agentlocator {

[[nodiscard]] Result<void> apply_fact(Database& database, const Fact& fact);

// Several in one transaction: all or none.
[[nodiscard]] Result<void> apply_facts(Database& database, std::span<const Fact> facts);

// How far a call or message has come; statuses only ever move up. 0: unknown word.
[[nodiscard]] std::int64_t call_status_rank(std::string_view status);
[[nodiscard]] std::int64_t message_status_rank(std::string_view status);
[[nodiscard]] std::int64_t payment_status_rank(std::string_view status);

inline constexpr std::int64_t message_rank_accepted = 30;  // Nothing is left to send from here on.

}  // namespace agentlocator
