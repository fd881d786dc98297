#pragma once
// The records of a spool file. Pure.
//
//   file   = *record
//   record = "ALR1" length:u32 checksum:u32 body      little-endian; CRC-32C over length and body
//
// A process or a machine that dies while writing leaves a torn last record: it was never acknowledged, and reading
// stops there. Damage in the middle (a bad disk) costs the records it touches: reading goes on at the next whole one.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace agentlocator {

inline constexpr std::size_t record_bytes_max = 1'048'576;  // A fact has at most a few texts of 256 KB.
inline constexpr std::size_t record_head_bytes = 12;

void append_record(std::string& file, std::string_view body);  // body: 1 to record_bytes_max bytes.

struct SpoolRecords {
    std::vector<std::string_view> bodies;  // Into the text that was read.
    std::size_t damaged_bytes = 0;         // Skipped in front of a whole record.
    std::size_t torn_bytes = 0;            // Behind the last whole one.
};
[[nodiscard]] SpoolRecords read_records(std::string_view file);

[[nodiscard]] std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

}  // namespace agentlocator
