#include "supervisor/call/violation.hpp"

#include <algorithm>

#include "common/text.hpp"

namespace agentlocator::call {

std::string shorten(std::string_view text) {
    std::string line;
    for (const char c : text.substr(0, excerpt_bytes_max)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7F) {
            line += "\\x" + hex(&c, 1);
        } else {
            line += c;
        }
    }
    if (text.size() > excerpt_bytes_max) {
        // Never end inside a UTF-8 sequence: the report is JSON, too.
        while (!line.empty() && (static_cast<unsigned char>(line.back()) & 0x80U) != 0) {
            line.pop_back();
        }
        line += "... (" + std::to_string(text.size()) + " bytes)";
    }
    return line;
}

void Violations::add(Rule rule, std::string_view what, std::string_view offending) {
    ++total_;
    const auto same =
        std::find_if(list_.begin(), list_.end(), [&](const Violation& v) { return v.rule == rule && v.what == what; });
    if (same != list_.end()) {
        ++same->count;
    } else if (list_.size() < violations_max) {
        list_.push_back({rule, std::string(what), shorten(offending), 1});
    }
}

void Violations::merge(const Violations& other) {
    for (const Violation& theirs : other.list_) {
        const auto same = std::find_if(list_.begin(), list_.end(), [&](const Violation& v) {
            return v.rule == theirs.rule && v.what == theirs.what;
        });
        if (same != list_.end()) {
            same->count += theirs.count;
        } else if (list_.size() < violations_max) {
            list_.push_back(theirs);
        }
    }
    total_ += other.total_;
}

}  // namespace agentlocator::call
