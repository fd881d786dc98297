#pragma once
// The messages Twilio sends on a media stream, spelled and ordered as in captures (Twilio docs: Media Streams,
// "Messages from Twilio"): counters are strings, sampleRate and channels are numbers. Pure.
#include <cstdint>
#include <string>
#include <string_view>

#include "supervisor/call/signature.hpp"

namespace agentlocator::call {

struct StreamIds {
    std::string account_sid;
    std::string call_sid;
    std::string stream_sid;  // Empty with call_sid: the fault start-without-ids.
};

enum class TextForm : std::uint8_t { utf8, escaped };  // Which of the two Twilio uses is not documented.

[[nodiscard]] std::string connected_message();
[[nodiscard]] std::string start_message(const StreamIds& ids, std::uint64_t sequence, const FormParameters& parameters,
                                        TextForm form);
[[nodiscard]] std::string dtmf_message(const StreamIds& ids, std::uint64_t sequence, char digit);
[[nodiscard]] std::string mark_message(const StreamIds& ids, std::uint64_t sequence, std::string_view name);
[[nodiscard]] std::string stop_message(const StreamIds& ids, std::uint64_t sequence);

struct MediaNumbers {
    std::uint64_t sequence;
    std::uint64_t chunk;
    std::uint64_t timestamp_ms;
};
// Overwrites `out`, whose memory is reused: this is the one message that comes fifty times a second.
void media_message(std::string& out, const StreamIds& ids, MediaNumbers numbers, std::string_view payload);

}  // namespace agentlocator::call
