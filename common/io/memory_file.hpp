#pragma once
// Bytes that go from process to process as a file in memory: larger than a packet, and gone with its last descriptor.
#include <cstdint>
#include <span>
#include <vector>

#include "common/io/unique_fd.hpp"
#include "common/result.hpp"

namespace agentlocator {

// Empty: the machine has no memory or descriptor left.
[[nodiscard]] UniqueFd write_memory_file(const char* name, std::span<const std::uint8_t> bytes);

// All of it, wherever its offset stands. Error: larger than `bytes_max`, or not readable.
[[nodiscard]] Result<std::vector<std::uint8_t>> read_memory_file(int fd, std::size_t bytes_max);

}  // namespace agentlocator
