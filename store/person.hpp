#pragma once
// One person, one conversation: what was said with somebody on the telephone and in writing, and what is known of him.
// Read when a message is answered and when a call begins. By number where there is one, else by the address.
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "store/database.hpp"
#include "store/facts.hpp"

namespace agentlocator {

struct SaidLine {
    bool ours = false;
    std::string text{};
};
struct PersonRecord {
    std::vector<SaidLine> said{};  // Oldest first.
    LeadFact lead{};               // name, email, status, notes, details
    std::string state{};           // Of the scripted dialogue in writing; empty: none.
};

// How much of it is read. A model reads all of it before each of its answers.
struct SaidLimits {
    std::int64_t lines = 0;
    std::size_t bytes = 0;       // Of all lines; the oldest are left out.
    std::size_t line_bytes = 0;  // Of one; a longer one is cut.
    std::int64_t age_ms = 0;
};
inline constexpr std::int64_t said_age_ms = std::int64_t{30} * 24 * 3600 * 1000;  // Later it is another matter.
// Who writes waits seconds for an answer; who is on the line hears each additional token of the prompt as silence.
inline constexpr SaidLimits written_limits{.lines = 30, .bytes = 24'000, .line_bytes = 4'000, .age_ms = said_age_ms};
inline constexpr SaidLimits call_limits{.lines = 20, .bytes = 6'000, .line_bytes = 1'000, .age_ms = said_age_ms};

struct PersonQuery {
    std::int64_t business = 0;
    std::string phone{};  // E.164; empty: only the address is known.
    std::string address{};
    std::int64_t now_ms = 0;
    SaidLimits limits = written_limits;
    std::string but_call{};  // Its own turns are no news to a call.
    // Of what came in writing, only what came before this message.
    std::int64_t before_at = std::numeric_limits<std::int64_t>::max();
    std::int64_t before_arrival = 0;
    std::string before_id{};
};
[[nodiscard]] Result<PersonRecord> load_person(Database& database, const PersonQuery& query);

// The business that a number of that channel belongs to ("voice", "whatsapp"); 0: nobody's.
[[nodiscard]] Result<std::int64_t> business_of_number(Database& database, const std::string& channel,
                                                      const std::string& number);

}  // namespace agentlocator
