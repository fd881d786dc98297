#pragma once
// What became of a call's newest stream, for a host that did not carry it, or after everything here was restarted.
#include <cstdint>
#include <optional>
#include <string>

#include "common/call_state.hpp"
#include "common/time.hpp"
#include "store/database.hpp"

namespace agentlocator {

struct LastStream {
    StreamFate fate = StreamFate::open;
    std::uint32_t resumes = 0;  // How often the call had been connected again before it.
    friend bool operator==(const LastStream&, const LastStream&) = default;
};

// As one number that only rises while a call goes on, from 1, so that facts may be applied in any order.
[[nodiscard]] constexpr std::int64_t stream_rank(const LastStream& stream) {
    return std::int64_t{stream.resumes} * 4 + static_cast<std::int64_t>(stream.fate) + 1;
}

// Nothing: the call is not known, or never had a stream.
[[nodiscard]] Result<std::optional<LastStream>> find_last_stream(Database& database, const std::string& call_sid);

// A stream whose end nobody has told may have ended a moment ago, and been meant to: its host tells within
// milliseconds. Twilio waits 15 s for what we answer.
inline constexpr Duration end_told_within = std::chrono::seconds(2);
// Whether the store's answer may be acted on after waiting so long for another.
[[nodiscard]] constexpr bool is_last_word(const std::optional<LastStream>& stream, Duration waited) {
    return !stream || stream->fate != StreamFate::open || waited >= end_told_within;
}

}  // namespace agentlocator
