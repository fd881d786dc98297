#pragma once
// The lines that operators grep for, in their historical text (reference: log lines of the media handler). Built here
// and nowhere else. Ids and names that come from the peer are escaped, so that a peer cannot forge a line.
#include <cstdint>
#include <string>
#include <string_view>

#include "common/ws_mode.hpp"

namespace agentlocator::ws_log {

[[nodiscard]] std::string connected(WsMode mode, bool hebrew_realtime);
[[nodiscard]] std::string start(std::string_view sid, WsMode mode);
[[nodiscard]] std::string mark(std::string_view name);
// WS_STOP: the peer said stop. WS_CLOSED: it went without. `frames` is rx under its older name.
[[nodiscard]] std::string stop(std::string_view sid, std::uint64_t rx, std::uint64_t tx);
[[nodiscard]] std::string closed(std::string_view sid, std::uint64_t rx, std::uint64_t tx);
// Last line of every call, exactly once. A stream that never started has sid "-".
[[nodiscard]] std::string done(std::string_view sid, std::uint64_t rx, std::uint64_t tx);
[[nodiscard]] std::string bad_json(std::string_view sid);
// What was wrong and what to do about it, in one line.
[[nodiscard]] std::string error(std::string_view sid, std::string_view detail);
// Bytes of 16-bit PCM about to be spoken: 0 points at the speech engine, more with silence at the framing.
[[nodiscard]] std::string tts_length(std::uint64_t pcm_bytes);

}  // namespace agentlocator::ws_log
