#pragma once
// What a child writes, as lines. Pure: bytes in, whole lines out, split points do not matter. A line longer than
// line_bytes_max is cut and marked, so that a child without line ends costs bounded memory.
#include <functional>
#include <string>
#include <string_view>

namespace agentlocator {

inline constexpr std::size_t line_bytes_max =
    8192;  // The longest line of ours is a tenth; a stack trace has many lines.
inline constexpr std::string_view line_cut_mark = " [line cut]";

class LineSplitter {
public:
    using Sink = std::function<void(std::string_view line)>;

    // Calls `sink` for each complete line, without its end ("\n" or "\r\n").
    void feed(std::string_view bytes, const Sink& sink);
    // The child is gone: what is left is a line too.
    void finish(const Sink& sink);

private:
    void end_line(const Sink& sink);

    std::string line_;
    bool cut_ = false;
};

// A line as it may stand on a terminal and in a file: control bytes but tab shown as \xNN, so that a child cannot move
// the cursor, forge another line or hide one.
[[nodiscard]] std::string printable(std::string_view line);

}  // namespace agentlocator
