#include "worker/ws_codec.hpp"

#include <cstring>

namespace agentlocator {
namespace {

constexpr std::uint8_t fin_bit = 0x80;
constexpr std::uint8_t reserved_bits = 0x70;
constexpr std::uint8_t opcode_bits = 0x0f;
constexpr std::uint8_t mask_bit = 0x80;
constexpr std::uint8_t size_bits = 0x7f;

[[nodiscard]] bool known_opcode(std::uint8_t opcode) {
    return opcode <= 2 || (opcode >= 8 && opcode <= 10);
}

}  // namespace

WsParse read_frame_header(std::span<const std::uint8_t> bytes, WsFrameHeader& header) {
    if (bytes.size() < 2) {
        return WsParse::need_more;
    }
    const std::uint8_t opcode = bytes[0] & opcode_bits;
    header.fin = (bytes[0] & fin_bit) != 0;
    header.opcode = static_cast<WsOpcode>(opcode);
    const std::uint8_t short_size = bytes[1] & size_bits;
    const bool control = (opcode & 8U) != 0;
    // No extension is ever negotiated, so reserved bits are an error (5.2); clients always mask (5.1).
    if ((bytes[0] & reserved_bits) != 0 || !known_opcode(opcode) || (bytes[1] & mask_bit) == 0) {
        return WsParse::bad;
    }
    if (control && (!header.fin || short_size > control_payload_max)) {
        return WsParse::bad;
    }
    const std::size_t size_bytes = short_size == 126 ? 2 : short_size == 127 ? 8 : 0;
    header.header_size = 2 + size_bytes + header.mask.size();
    header.payload_size = short_size;
    if (size_bytes != 0) {
        if (bytes.size() < 2 + size_bytes) {
            return WsParse::need_more;
        }
        header.payload_size = 0;
        for (std::size_t i = 0; i < size_bytes; ++i) {
            header.payload_size = header.payload_size << 8U | bytes[2 + i];
        }
        // The shortest form must be used, and the top bit of the long one is zero (5.2).
        if (header.payload_size < (size_bytes == 2 ? 126U : 65'536U) || (header.payload_size >> 63U) != 0) {
            return WsParse::bad;
        }
    }
    if (header.payload_size > message_bytes_max) {
        return WsParse::too_large;
    }
    if (bytes.size() < header.header_size) {
        return WsParse::need_more;
    }
    std::memcpy(header.mask.data(), &bytes[2 + size_bytes], header.mask.size());
    return WsParse::ok;
}

std::uint8_t copy_unmasked(std::span<const std::uint8_t> from, const std::array<std::uint8_t, 4>& mask,
                           std::uint8_t* to) {
    std::uint32_t mask32 = 0;
    std::memcpy(&mask32, mask.data(), sizeof mask32);
    const std::uint64_t mask64 = static_cast<std::uint64_t>(mask32) << 32U | mask32;
    std::uint64_t seen = 0;
    std::size_t i = 0;
    for (; i + 8 <= from.size(); i += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, &from[i], sizeof word);
        word ^= mask64;
        seen |= word;
        std::memcpy(to + i, &word, sizeof word);
    }
    std::uint8_t any = 0;
    for (; i < from.size(); ++i) {
        to[i] = from[i] ^ mask[i % mask.size()];
        any |= to[i];
    }
    seen |= seen >> 32U;
    seen |= seen >> 16U;
    seen |= seen >> 8U;
    return static_cast<std::uint8_t>(any | static_cast<std::uint8_t>(seen));
}

std::size_t write_frame_header(WsOpcode opcode, std::uint64_t payload_size,
                               std::array<std::uint8_t, frame_header_bytes_max>& out) {
    out[0] = static_cast<std::uint8_t>(fin_bit | static_cast<std::uint8_t>(opcode));
    if (payload_size < 126) {
        out[1] = static_cast<std::uint8_t>(payload_size);
        return 2;
    }
    const std::size_t size_bytes = payload_size < 65'536 ? 2 : 8;
    out[1] = size_bytes == 2 ? 126 : 127;
    for (std::size_t i = 0; i < size_bytes; ++i) {
        out[2 + i] = static_cast<std::uint8_t>(payload_size >> (8 * (size_bytes - 1 - i)));
    }
    return 2 + size_bytes;
}

bool valid_close_code(std::uint16_t code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

bool valid_utf8(std::span<const std::uint8_t> text) {
    std::size_t i = 0;
    while (i < text.size()) {
        const std::uint8_t lead = text[i++];
        if (lead < 0x80) {
            continue;
        }
        std::size_t more = 0;
        std::uint32_t value = 0;
        std::uint32_t least = 0;
        if ((lead & 0xe0U) == 0xc0) {
            more = 1, value = lead & 0x1fU, least = 0x80;
        } else if ((lead & 0xf0U) == 0xe0) {
            more = 2, value = lead & 0x0fU, least = 0x800;
        } else if ((lead & 0xf8U) == 0xf0) {
            more = 3, value = lead & 0x07U, least = 0x10000;
        } else {
            return false;
        }
        for (; more > 0; --more) {
            if (i == text.size() || (text[i] & 0xc0U) != 0x80) {
                return false;
            }
            value = value << 6U | (text[i++] & 0x3fU);
        }
        if (value < least || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) {
            return false;
        }
    }
    return true;
}

}  // namespace agentlocator
