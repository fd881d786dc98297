#include "store/spool_record.hpp"

#include <array>
#include <optional>

#include "common/ensure.hpp"

namespace agentlocator {
namespace {

constexpr std::string_view magic = "ALR1";

constexpr std::array<std::uint32_t, 256> make_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) {
            value = (value >> 1U) ^ ((value & 1U) != 0 ? 0x82F63B78U : 0U);  // Castagnoli, reflected (RFC 3720 B.4).
        }
        table[i] = value;
    }
    return table;
}
constexpr std::array<std::uint32_t, 256> table = make_table();

void append_u32(std::string& out, std::uint32_t value) {
    for (unsigned shift = 0; shift < 32; shift += 8) {
        out.push_back(static_cast<char>((value >> shift) & 0xffU));
    }
}

std::uint32_t read_u32(std::string_view bytes) {
    std::uint32_t value = 0;
    for (std::size_t i = 4; i-- > 0;) {
        value = (value << 8U) | static_cast<unsigned char>(bytes[i]);
    }
    return value;
}

// The body of the whole record at the front of `bytes`.
std::optional<std::string_view> whole_record(std::string_view bytes) {
    if (bytes.size() < record_head_bytes || !bytes.starts_with(magic)) {
        return std::nullopt;
    }
    const std::uint32_t length = read_u32(bytes.substr(4));
    if (length == 0 || length > record_bytes_max || length > bytes.size() - record_head_bytes) {
        return std::nullopt;
    }
    const std::string_view body = bytes.substr(record_head_bytes, length);
    const bool sound = crc32c(body, crc32c(bytes.substr(4, 4))) == read_u32(bytes.substr(8));
    return sound ? std::optional(body) : std::nullopt;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t before) {
    std::uint32_t crc = ~before;
    for (const char c : bytes) {
        crc = table[(crc ^ static_cast<unsigned char>(c)) & 0xffU] ^ (crc >> 8U);
    }
    return ~crc;
}

void append_record(std::string& file, std::string_view body) {
    ENSURE(!body.empty() && body.size() <= record_bytes_max);
    std::string length;
    append_u32(length, static_cast<std::uint32_t>(body.size()));
    file.append(magic).append(length);
    append_u32(file, crc32c(body, crc32c(length)));
    file.append(body);
}

SpoolRecords read_records(std::string_view file) {
    SpoolRecords found;
    std::size_t sound_end = 0;
    for (std::size_t at = 0; at < file.size();) {
        if (const auto body = whole_record(file.substr(at))) {
            found.damaged_bytes += at - sound_end;
            found.bodies.push_back(*body);
            at += record_head_bytes + body->size();
            sound_end = at;
        } else {
            const auto next = file.find(magic, at + 1);
            at = next == std::string_view::npos ? file.size() : next;
        }
    }
    found.torn_bytes = file.size() - sound_end;
    return found;
}

}  // namespace agentlocator
