#pragma once
// A WebSocket client (RFC 6455) without I/O: bytes from the server in, events out; messages in, bytes for the server
// out. No extensions. Pings are answered here. Pure: the key and the masks' source come from outside.
//
//   opening --101--> open --close frame--> closed
//      | other status: refused (with the body: that is where 401 and 429 are explained)
//      any state: failed (broken framing, too large a message)
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/http_codec.hpp"
#include "worker/providers/http_call.hpp"

namespace agentlocator {

struct WsEvent {
    enum class Kind : std::uint8_t { opened, text, binary, closed, refused, failed } kind = Kind::opened;
    std::string payload{};   // text, binary; closed: the reason; refused: the body; failed: what was wrong.
    std::uint16_t code = 0;  // closed
    HttpHead head{};         // opened, refused
};

class WsClient {
public:
    static constexpr std::size_t message_bytes_max = 1U << 20U;  // An audio event of a speech model has some 40 kB.

    struct Options {
        std::string key;                      // 16 random bytes.
        std::function<std::uint32_t()> mask;  // Unpredictable (RFC 6455 10.3).
    };
    // `url`: ws or wss; its path and query are the target.
    WsClient(std::string_view url, const std::vector<HttpHeader>& headers, Options options);

    void feed(std::string_view bytes, std::vector<WsEvent>& events);
    void feed_end(std::vector<WsEvent>& events);  // The server closed the connection.

    // Before the handshake is done they wait behind it.
    void send_text(std::string_view text);
    void send_binary(std::string_view bytes);
    void close(std::uint16_t code);

    // Bytes to send now; call after every other call.
    [[nodiscard]] std::string take_output();
    [[nodiscard]] bool is_open() const { return state_ == State::open; }
    [[nodiscard]] bool is_over() const { return state_ == State::over; }

private:
    enum class State : std::uint8_t { opening, open, over };
    void read_handshake(std::string_view bytes, std::vector<WsEvent>& events);
    void judge_handshake(std::vector<WsEvent>& events);
    void read_frames(std::vector<WsEvent>& events);
    [[nodiscard]] bool take_frame(std::uint8_t first, std::string_view payload, std::vector<WsEvent>& events);
    void take_close(std::string_view payload, std::vector<WsEvent>& events);
    void write_frame(std::uint8_t opcode, std::string_view payload, std::string& out);
    void fail(std::uint16_t code, std::string_view why, std::vector<WsEvent>& events);

    State state_ = State::opening;
    Options options_;
    std::string expected_accept_;
    HttpResponseParser handshake_;
    bool heard_ = false;  // Anything of the answer to the upgrade.
    std::string input_;
    std::string message_;  // Fragments of the message in hand.
    std::uint8_t message_opcode_ = 0;
    std::string output_;
    std::string waiting_;  // Frames written before the handshake was done.
    bool close_sent_ = false;
};

}  // namespace agentlocator
