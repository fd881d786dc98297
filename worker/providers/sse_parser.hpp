#pragma once
// Server-sent events (WHATWG HTML, 9.2): bytes in, events out. Works on bytes, because a network chunk may end inside a
// letter. A pending event at the end of the body is delivered, as the vendors' own clients do: a missing empty line
// alone is no error, and whether its JSON is complete shows in reading it.
#include <cstddef>
#include <string>
#include <string_view>

namespace agentlocator {

// Longest event. The largest real one is a whole tool call; 1 MB stops a server that never ends its line.
inline constexpr std::size_t sse_event_bytes_max = 1U << 20U;

struct SseEvent {
    std::string_view name;  // "event:" field; empty: none.
    std::string_view data;  // "data:" lines, joined with LF.
};

class SseParser {
public:
    // Calls `sink(const SseEvent&)` for each whole event. The sink returns false to stop, and may have destroyed the
    // parser then. False: stopped, or an event passed its limit (see too_large()); the parser takes no more.
    template <class Sink>
    [[nodiscard]] bool feed(std::string_view bytes, Sink&& sink) {
        while (!bytes.empty()) {
            const Step step = take_line(bytes);
            if (step == Step::event && !deliver(sink)) {
                return false;
            }
            if (too_large_) {
                return false;
            }
        }
        return true;
    }

    // End of the body.
    template <class Sink>
    [[nodiscard]] bool finish(Sink&& sink) {
        if (!line_.empty()) {
            end_line();
        }
        return !has_data_ || deliver(sink);
    }

    [[nodiscard]] bool too_large() const { return too_large_; }

private:
    enum class Step { more, line, event };
    Step take_line(std::string_view& bytes);
    Step end_line();

    template <class Sink>
    [[nodiscard]] bool deliver(Sink& sink) {
        if (!sink(SseEvent{name_, data_})) {
            return false;  // We may be gone: a caller who cuts in ends the whole operation.
        }
        name_.clear();
        data_.clear();
        has_data_ = false;
        return true;
    }

    std::string line_;  // Of the line in hand, what came in earlier pieces.
    std::string name_;
    std::string data_;
    bool has_data_ = false;
    bool after_cr_ = false;  // The last line ended with CR: a LF that follows belongs to it.
    bool first_line_ = true;
    bool too_large_ = false;
};

}  // namespace agentlocator
