#include "supervisor/line_history.hpp"

#include <algorithm>

namespace agentlocator {

void LineHistory::add(std::string_view line) {
    lines_.emplace_back(line);
    bytes_ += line.size();
    while (lines_.size() > history_lines_max || bytes_ > history_bytes_max) {
        bytes_ -= lines_.front().size();
        lines_.pop_front();
    }
}

std::vector<std::string> LineHistory::last(std::size_t count) const {
    const auto skip = static_cast<std::ptrdiff_t>(lines_.size() - std::min(count, lines_.size()));
    return {lines_.begin() + skip, lines_.end()};
}

}  // namespace agentlocator
