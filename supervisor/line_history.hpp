#pragma once
// The last lines of one child, kept in memory for its exit record and for `agentlocator logs`. Bounded by count and by
// bytes, because a hundred talkative children must not grow the supervisor.
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace agentlocator {

inline constexpr std::size_t history_lines_max = 200;
inline constexpr std::size_t history_bytes_max = 32 * 1024;

class LineHistory {
public:
    void add(std::string_view line);
    // The last `count` lines, oldest first.
    [[nodiscard]] std::vector<std::string> last(std::size_t count) const;

private:
    std::deque<std::string> lines_;
    std::size_t bytes_ = 0;
};

}  // namespace agentlocator
