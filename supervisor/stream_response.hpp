#pragma once
// An HTTP/1.1 response whose body is passed on as it arrives (`logs --follow`): header, then chunks (RFC 9112 7.1) or
// bytes until the end. Pure: bytes in, body bytes out. http_codec gives whole messages only.
#include <cstdint>
#include <string>
#include <string_view>

namespace agentlocator {

inline constexpr std::size_t stream_header_bytes_max = 16 * 1024;

class StreamResponse {
public:
    // Appends to `body`. False: malformed; nothing more may be fed.
    [[nodiscard]] bool feed(std::string_view bytes, std::string& body);

    [[nodiscard]] unsigned status() const { return status_; }  // 0 until the header is complete.
    [[nodiscard]] bool ended() const { return state_ == State::end; }

private:
    enum class State : std::uint8_t { header, size, size_line, data, data_end, trailer, raw, end, failed };

    [[nodiscard]] bool read_header();
    [[nodiscard]] State step(char c);

    State state_ = State::header;
    std::string line_;        // Header block, later the line in hand.
    std::uint64_t left_ = 0;  // Of the chunk.
    unsigned status_ = 0;
};

}  // namespace agentlocator
