#include "worker/providers/sse_parser.hpp"

#include <algorithm>

namespace agentlocator {

SseParser::Step SseParser::take_line(std::string_view& bytes) {
    if (after_cr_) {
        after_cr_ = false;
        if (bytes.front() == '\n') {
            bytes.remove_prefix(1);
            return Step::more;
        }
    }
    const auto end = bytes.find_first_of("\r\n");
    const std::string_view piece = bytes.substr(0, std::min(end, bytes.size()));
    if (line_.size() + piece.size() + data_.size() > sse_event_bytes_max) {
        too_large_ = true;
        bytes = {};
        return Step::more;
    }
    line_ += piece;
    if (end == std::string_view::npos) {
        bytes = {};
        return Step::more;
    }
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    return end_line();
}

SseParser::Step SseParser::end_line() {
    std::string_view line = line_;
    if (first_line_ && line.starts_with("\xef\xbb\xbf")) {  // One byte order mark at the very start is not content.
        line.remove_prefix(3);
    }
    first_line_ = false;
    if (line.empty()) {
        line_.clear();
        if (!has_data_) {
            name_.clear();  // An event without data is none.
            return Step::line;
        }
        return Step::event;
    }
    const auto colon = std::min(line.find(':'), line.size());
    const std::string_view field = line.substr(0, colon);
    std::string_view value = line.substr(std::min(colon + 1, line.size()));
    if (value.starts_with(' ')) {
        value.remove_prefix(1);
    }
    if (field == "data") {
        if (has_data_) {
            data_ += '\n';
        }
        data_ += value;
        has_data_ = true;
    } else if (field == "event") {
        name_ = value;
    }  // Comments (an empty field name), id, retry and unknown fields: nothing for us.
    line_.clear();
    return Step::line;
}

}  // namespace agentlocator
