#pragma once
// WebSocket frames, server side (RFC 6455 section 5). Pure: bytes in, header out; header out, bytes. No state.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/call_slab.hpp"

namespace agentlocator {

enum class WsOpcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

// RFC 6455 7.4.1.
namespace ws_close {
inline constexpr std::uint16_t normal = 1000;
inline constexpr std::uint16_t going_away = 1001;
inline constexpr std::uint16_t protocol_error = 1002;
inline constexpr std::uint16_t unsupported = 1003;
inline constexpr std::uint16_t no_code = 1005;  // Never on the wire: the close frame was empty.
inline constexpr std::uint16_t bad_text = 1007;
inline constexpr std::uint16_t policy = 1008;
inline constexpr std::uint16_t too_large = 1009;
inline constexpr std::uint16_t internal = 1011;
}  // namespace ws_close

inline constexpr std::size_t control_payload_max = 125;  // RFC 6455 5.5.

struct WsFrameHeader {
    WsOpcode opcode = WsOpcode::text;
    bool fin = true;
    std::uint64_t payload_size = 0;
    std::array<std::uint8_t, 4> mask{};
    std::size_t header_size = 0;
};

enum class WsParse : std::uint8_t { need_more, ok, bad, too_large };

// Reads the header of a client's frame. bad: the connection must be failed with 1002; too_large (payload over
// message_bytes_max): with 1009. Judged from the header alone, before a byte of payload is waited for.
[[nodiscard]] WsParse read_frame_header(std::span<const std::uint8_t> bytes, WsFrameHeader& header);

// Copies `from` to `to` with the client's mask taken off. Not in place: after a crash the same bytes are read again.
// Returns the OR of all bytes, so that a value below 0x80 proves plain ASCII.
std::uint8_t copy_unmasked(std::span<const std::uint8_t> from, const std::array<std::uint8_t, 4>& mask,
                           std::uint8_t* to);

// Writes the header of an unmasked, final server frame; returns its size (2, 4 or 10).
std::size_t write_frame_header(WsOpcode opcode, std::uint64_t payload_size,
                               std::array<std::uint8_t, frame_header_bytes_max>& out);

// True when a peer may send this code in a close frame (RFC 6455 7.4).
[[nodiscard]] bool valid_close_code(std::uint16_t code);

// RFC 3629: no overlong forms, surrogates or values above U+10FFFF.
[[nodiscard]] bool valid_utf8(std::span<const std::uint8_t> text);

}  // namespace agentlocator
