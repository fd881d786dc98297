#pragma once
// The client half of RFC 6455, sans-I/O: the upgrade request and its answer, frames out (masked), frames in (checked).
// The worker has the server half; nothing is shared, because this half judges that one.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace agentlocator::call {

constexpr std::size_t upgrade_answer_bytes_max = 16 * 1024;    // Headers of a proxy chain are 1 to 2 kB.
constexpr std::size_t ws_message_bytes_max = 8 * 1024 * 1024;  // Ten minutes of mu-law in base64 are 6.4 MB.
constexpr std::size_t ws_control_bytes_max = 125;              // RFC 6455 5.5.

struct UpgradeRequest {
    std::string host;
    std::string target;
    std::string key;              // Sec-WebSocket-Key, base64 of 16 bytes.
    std::string signature;        // Empty: no header.
    std::string subprotocol;      // Empty: none offered, as Twilio.
    std::string forwarded_proto;  // Empty: none; else X-Forwarded-Proto, as a tunnel adds it.
};
// Header set and order as captured from Twilio: no Origin, no extensions.
[[nodiscard]] std::string upgrade_request(const UpgradeRequest& request);
[[nodiscard]] std::string websocket_accept(std::string_view key);

struct UpgradeAnswer {
    std::size_t size = 0;  // Bytes of the answer's head; frames begin after it.
    unsigned status = 0;
};
// Nothing yet: the head is incomplete. Error: not a valid 101 to this request; detail says what is wrong.
[[nodiscard]] Result<std::optional<UpgradeAnswer>> check_upgrade_answer(std::string_view bytes,
                                                                        const UpgradeRequest& request);

enum class WsOpcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

struct WsFrameForm {
    bool fin = true;
    bool masked = true;         // A client must; false is a fault to inject.
    std::uint8_t reserved = 0;  // RSV bits, 0..7.
};
void append_client_frame(std::string& out, WsOpcode opcode, std::string_view payload, std::uint32_t mask,
                         WsFrameForm form = {});

struct WsMessage {
    WsOpcode kind = WsOpcode::text;  // text, binary, ping, pong or close; fragments are joined.
    std::string_view payload;        // Valid until the next push() or next().
};

struct CloseReason {
    std::uint16_t code = 1005;  // 1005: a close frame without a code (RFC 6455 7.4.1).
    std::string text;
};
[[nodiscard]] CloseReason read_close(std::string_view payload);

// Frames from a server. After `failed` the connection is unusable: send close_code() and drop it.
class WsServerFrames {
public:
    enum class Step { need_more, message, failed };

    void push(std::string_view bytes);
    [[nodiscard]] Step next(WsMessage& message);
    [[nodiscard]] const std::string& failure() const { return failure_; }
    [[nodiscard]] std::uint16_t close_code() const { return close_code_; }

private:
    Step fail(std::uint16_t code, std::string why);
    Step take_frame(WsMessage& message, WsOpcode opcode, bool fin, std::string_view payload);

    std::string buffer_;
    std::size_t begin_ = 0;  // First byte of buffer_ not yet taken.
    std::string fragments_;  // Payloads of a message whose last fragment is still missing.
    std::optional<WsOpcode> fragmented_;
    bool assembled_taken_ = false;
    std::string failure_;
    std::uint16_t close_code_ = 0;
};

[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace agentlocator::call
