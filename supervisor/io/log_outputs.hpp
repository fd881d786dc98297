#pragma once
// The two places log lines go to: rotated files, one for each target, and the console. Used on writer threads only.
#include <cstdint>
#include <memory>
#include <string>

#include "supervisor/io/log_writer.hpp"

namespace agentlocator {

struct LogFileLimits {
    std::string folder;           // Made when missing, 0700.
    std::uint64_t bytes_max = 0;  // A file is rotated at this size.
    std::uint32_t files = 1;      // Kept for each target, the current one included.
};

// <folder>/<target>.log with spdlog's rotating sinks, opened at the first line.
[[nodiscard]] std::unique_ptr<LogOutput> make_file_output(LogFileLimits limits);

// Lines to `fd` as "[target] text"; the supervisor's own without a prefix. Colour on a terminal only. Gives up for good
// when the reader is gone (EPIPE); waits for a reader that is only slow, which costs the oldest queued lines.
[[nodiscard]] std::unique_ptr<LogOutput> make_console_output(int fd, bool colour);

}  // namespace agentlocator
