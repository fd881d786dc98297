#include "supervisor/stream_response.hpp"

#include <algorithm>

#include "common/text.hpp"

namespace agentlocator {
namespace {

constexpr std::uint64_t chunk_bytes_max = 16 * 1024 * 1024;  // A supervisor sends lines; more is not one.

int hex_digit(char c) {
    const char lower = to_lower(c);
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

bool StreamResponse::feed(std::string_view bytes, std::string& body) {
    while (!bytes.empty() && state_ != State::failed && state_ != State::end) {
        if (state_ == State::raw) {
            body += bytes;
            return true;
        }
        if (state_ == State::data) {
            const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
            body += bytes.substr(0, count);
            bytes.remove_prefix(count);
            left_ -= count;
            state_ = left_ == 0 ? State::data_end : State::data;
            continue;
        }
        const char c = bytes.front();
        bytes.remove_prefix(1);
        state_ = step(c);
    }
    return state_ != State::failed;
}

StreamResponse::State StreamResponse::step(char c) {
    switch (state_) {
        case State::header:
            line_ += c;
            if (line_.size() > stream_header_bytes_max) {
                return State::failed;
            }
            if (!line_.ends_with("\r\n\r\n")) {
                return State::header;
            }
            return read_header() ? state_ : State::failed;
        case State::size:
            if (const int digit = hex_digit(c); digit >= 0) {
                left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
                line_ += c;
                return left_ > chunk_bytes_max ? State::failed : State::size;
            }
            if (line_.empty()) {
                return State::failed;
            }
            [[fallthrough]];
        case State::size_line:  // Chunk extensions are ignored.
            if (c != '\n') {
                return State::size_line;
            }
            line_.clear();
            return left_ == 0 ? State::trailer : State::data;
        case State::data_end:
            if (c == '\r') {
                return State::data_end;
            }
            line_.clear();
            return c == '\n' ? State::size : State::failed;
        case State::trailer:
            if (c != '\n') {
                line_ += c == '\r' ? "" : std::string(1, c);
                return line_.size() > stream_header_bytes_max ? State::failed : State::trailer;
            }
            if (line_.empty()) {
                return State::end;
            }
            line_.clear();
            return State::trailer;
        case State::data:
        case State::raw:
        case State::end:
        case State::failed:
            break;
    }
    return state_;
}

bool StreamResponse::read_header() {
    const std::string block = std::move(line_);
    line_.clear();
    // "HTTP/1.1 200 OK"
    const std::string_view first = std::string_view(block).substr(0, block.find("\r\n"));
    if (!first.starts_with("HTTP/1.") || first.size() < 12) {
        return false;
    }
    const auto status = parse_integer(first.substr(9, 3));
    if (!status || *status < 200 || *status > 599) {
        return false;
    }
    status_ = static_cast<unsigned>(*status);
    bool chunked = false;
    for (const std::string_view line : split(block, '\n')) {
        const auto colon = line.find(':');
        chunked |= colon != std::string_view::npos && equal_no_case(line.substr(0, colon), "transfer-encoding") &&
                   equal_no_case(trim(line.substr(colon + 1)), "chunked");
    }
    left_ = 0;
    state_ = chunked ? State::size : State::raw;
    return true;
}

}  // namespace agentlocator
