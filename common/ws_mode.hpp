#pragma once
// What a media stream does with the caller's audio (reference 3.3). AI is the compiled default everywhere (F-1, F-5).
#include <cstdint>
#include <optional>
#include <string_view>

namespace agentlocator {

enum class WsMode : std::uint8_t { ai, echo, sink };

// "AI", "ECHO", "SINK": the form used in log lines and documents.
[[nodiscard]] std::string_view to_string(WsMode mode);

// Any case; nothing for any other text, the caller names the valid ones.
[[nodiscard]] std::optional<WsMode> parse_ws_mode(std::string_view text);

inline constexpr std::string_view ws_mode_values = "AI, ECHO, SINK";

}  // namespace agentlocator
