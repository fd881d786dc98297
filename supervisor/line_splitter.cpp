#include "supervisor/line_splitter.hpp"

#include <algorithm>

#include "common/text.hpp"

namespace agentlocator {

void LineSplitter::feed(std::string_view bytes, const Sink& sink) {
    while (!bytes.empty()) {
        const auto end = bytes.find('\n');
        const std::string_view part = bytes.substr(0, end);
        const std::size_t room = line_bytes_max - line_.size();
        line_.append(part.substr(0, room));
        cut_ = cut_ || part.size() > room;
        if (end == std::string_view::npos) {
            return;
        }
        end_line(sink);
        bytes.remove_prefix(end + 1);
    }
}

void LineSplitter::finish(const Sink& sink) {
    if (!line_.empty()) {
        end_line(sink);
    }
}

void LineSplitter::end_line(const Sink& sink) {
    if (cut_) {
        line_ += line_cut_mark;
    } else if (line_.ends_with('\r')) {
        line_.pop_back();
    }
    sink(line_);
    line_.clear();
    cut_ = false;
}

std::string printable(std::string_view line) {
    const auto is_control = [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\t') || byte == 0x7f;
    };
    if (std::none_of(line.begin(), line.end(), is_control)) {
        return std::string(line);
    }
    std::string out;
    for (const char c : line) {
        if (is_control(c)) {
            out += "\\x" + hex(&c, 1);
        } else {
            out += c;
        }
    }
    return out;
}

}  // namespace agentlocator
