#include "supervisor/call/ws_client.hpp"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "common/text.hpp"
#include "supervisor/call/base64.hpp"

namespace agentlocator::call {
namespace {

std::uint8_t byte_of(char c) {
    return static_cast<std::uint8_t>(c);
}

Error refused(std::string why) {
    return error(Errc::bad_message, std::move(why));
}

// Every value of a header, as a list: "a, b" on one line or on two lines is the same (RFC 9110 5.3).
std::vector<std::string_view> header_values(const std::vector<std::string_view>& lines, std::string_view name) {
    std::vector<std::string_view> values;
    for (const std::string_view line : lines) {
        const std::size_t colon = line.find(':');
        if (colon != std::string_view::npos && equal_no_case(line.substr(0, colon), name)) {
            for (const std::string_view part : split(line.substr(colon + 1), ',')) {
                values.push_back(trim(part));
            }
        }
    }
    return values;
}

std::string check_headers(const std::vector<std::string_view>& lines, const UpgradeRequest& request) {
    const auto upgrade = header_values(lines, "Upgrade");
    if (upgrade.size() != 1 || !equal_no_case(upgrade.front(), "websocket")) {
        return "101 without exactly one `Upgrade: websocket`";
    }
    const auto connection = header_values(lines, "Connection");
    if (std::none_of(connection.begin(), connection.end(), [](auto v) { return equal_no_case(v, "upgrade"); })) {
        return "101 without `Connection: Upgrade`";
    }
    const auto accept = header_values(lines, "Sec-WebSocket-Accept");
    if (accept.size() != 1 || accept.front() != websocket_accept(request.key)) {
        return "101 with a wrong Sec-WebSocket-Accept";
    }
    const auto protocol = header_values(lines, "Sec-WebSocket-Protocol");
    if (request.subprotocol.empty() && !protocol.empty()) {
        return "101 names a subprotocol that was not offered";  // RFC 6455 4.1: the client must fail the connection.
    }
    if (!request.subprotocol.empty() && (protocol.size() != 1 || protocol.front() != request.subprotocol)) {
        return "101 does not select the offered subprotocol " + request.subprotocol + ", once";
    }
    if (!header_values(lines, "Sec-WebSocket-Extensions").empty()) {
        return "101 names an extension that was not offered";
    }
    return {};
}

}  // namespace

std::string upgrade_request(const UpgradeRequest& request) {
    std::string text = "GET " + request.target + " HTTP/1.1\r\nHost: " + request.host +
                       "\r\nUser-Agent: Twilio.TmeWs/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                       "Sec-WebSocket-Key: " +
                       request.key + "\r\nSec-WebSocket-Version: 13\r\n";
    if (!request.subprotocol.empty()) {
        text += "Sec-WebSocket-Protocol: " + request.subprotocol + "\r\n";
    }
    if (!request.signature.empty()) {
        text += "X-Twilio-Signature: " + request.signature + "\r\n";
    }
    if (!request.forwarded_proto.empty()) {
        text += "X-Forwarded-Proto: " + request.forwarded_proto + "\r\n";
    }
    return text + "\r\n";
}

std::string websocket_accept(std::string_view key) {
    const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 1.3.
    std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
    SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
    return base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

Result<std::optional<UpgradeAnswer>> check_upgrade_answer(std::string_view bytes, const UpgradeRequest& request) {
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) {
        if (bytes.size() > upgrade_answer_bytes_max) {
            return refused("answer to the upgrade has headers over 16 KiB");
        }
        return std::optional<UpgradeAnswer>{};
    }
    std::vector<std::string_view> lines;
    for (std::string_view line : split(bytes.substr(0, end), '\n')) {
        lines.push_back(line.ends_with('\r') ? line.substr(0, line.size() - 1) : line);
    }
    const std::string_view status_line = lines.front();
    const auto status = status_line.starts_with("HTTP/1.1 ") && status_line.size() >= 12
                            ? parse_integer(status_line.substr(9, 3))
                            : std::nullopt;
    if (!status) {
        return refused("answer to the upgrade is not HTTP/1.1: " + std::string(status_line.substr(0, 60)));
    }
    if (*status != 101) {
        return refused("upgrade answered " + std::string(status_line.substr(9)));
    }
    if (std::string fault = check_headers(lines, request); !fault.empty()) {
        return refused(std::move(fault));
    }
    return std::optional<UpgradeAnswer>{UpgradeAnswer{end + 4, static_cast<unsigned>(*status)}};
}

void append_client_frame(std::string& out, WsOpcode opcode, std::string_view payload, std::uint32_t mask,
                         WsFrameForm form) {
    const std::size_t size = payload.size();
    out += static_cast<char>((form.fin ? 0x80U : 0U) | static_cast<unsigned>(form.reserved & 7U) << 4 |
                             static_cast<unsigned>(opcode));
    const unsigned mask_bit = form.masked ? 0x80U : 0U;
    if (size < 126) {
        out += static_cast<char>(mask_bit | size);
    } else {
        const int length_bytes = size <= 0xFFFF ? 2 : 8;
        out += static_cast<char>(mask_bit | (length_bytes == 2 ? 126U : 127U));
        for (int i = length_bytes - 1; i >= 0; --i) {
            out += static_cast<char>(size >> (8 * i) & 0xFF);
        }
    }
    if (!form.masked) {
        out += payload;
        return;
    }
    const std::array<char, 4> key{static_cast<char>(mask >> 24), static_cast<char>(mask >> 16 & 0xFF),
                                  static_cast<char>(mask >> 8 & 0xFF), static_cast<char>(mask & 0xFF)};
    out.append(key.data(), key.size());
    const std::size_t at = out.size();
    out += payload;
    std::uint64_t wide = 0;
    const std::array<char, 8> twice{key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]};
    std::memcpy(&wide, twice.data(), sizeof wide);
    std::size_t i = 0;
    for (; i + sizeof wide <= size; i += sizeof wide) {
        std::uint64_t word = 0;
        std::memcpy(&word, out.data() + at + i, sizeof word);
        word ^= wide;
        std::memcpy(out.data() + at + i, &word, sizeof word);
    }
    for (; i < size; ++i) {
        out[at + i] = static_cast<char>(out[at + i] ^ key[i & 3]);
    }
}

CloseReason read_close(std::string_view payload) {
    if (payload.size() < 2) {
        return {};
    }
    return {static_cast<std::uint16_t>(byte_of(payload[0]) << 8 | byte_of(payload[1])), std::string(payload.substr(2))};
}

void WsServerFrames::push(std::string_view bytes) {
    if (begin_ > 0) {
        buffer_.erase(0, begin_);
        begin_ = 0;
    }
    buffer_ += bytes;
}

WsServerFrames::Step WsServerFrames::fail(std::uint16_t code, std::string why) {
    close_code_ = code;
    failure_ = std::move(why);
    return Step::failed;
}

WsServerFrames::Step WsServerFrames::next(WsMessage& message) {
    if (!failure_.empty()) {
        return Step::failed;
    }
    if (assembled_taken_) {
        fragments_.clear();
        assembled_taken_ = false;
    }
    for (;;) {
        const std::string_view bytes = std::string_view(buffer_).substr(begin_);
        if (bytes.size() < 2) {
            return Step::need_more;
        }
        const unsigned head = byte_of(bytes[0]);
        const unsigned length7 = byte_of(bytes[1]) & 0x7FU;
        const auto opcode = static_cast<WsOpcode>(head & 0x0FU);
        const bool fin = (head & 0x80U) != 0;
        const bool control = (head & 0x08U) != 0;
        if ((head & 0x70U) != 0) {
            return fail(1002, "a reserved bit is set and no extension was agreed");
        }
        if ((head & 0x07U) > 2U) {
            return fail(1002, "reserved opcode " + std::to_string(head & 0x0FU));
        }
        if ((byte_of(bytes[1]) & 0x80U) != 0) {
            return fail(1002, "a server frame is masked");  // RFC 6455 5.1.
        }
        if (control && (!fin || length7 > ws_control_bytes_max)) {
            return fail(1002, !fin ? "a control frame is fragmented" : "a control frame is longer than 125 bytes");
        }
        const std::size_t extra = length7 == 126 ? 2 : length7 == 127 ? 8 : 0;
        if (bytes.size() < 2 + extra) {
            return Step::need_more;
        }
        std::uint64_t length = length7;
        if (extra != 0) {
            length = 0;
            for (std::size_t i = 0; i < extra; ++i) {
                length = length << 8 | byte_of(bytes[2 + i]);
            }
            if (length < (extra == 2 ? 126U : 65536U)) {
                return fail(1002, "a frame length is not in its shortest form");  // RFC 6455 5.2.
            }
        }
        if (length > ws_message_bytes_max || fragments_.size() + length > ws_message_bytes_max) {
            return fail(1009, "a message is longer than 8 MiB");
        }
        if (bytes.size() < 2 + extra + length) {
            return Step::need_more;
        }
        begin_ += 2 + extra + static_cast<std::size_t>(length);
        const Step step = take_frame(message, opcode, fin, bytes.substr(2 + extra, static_cast<std::size_t>(length)));
        if (step != Step::need_more) {
            return step;
        }
    }
}

// need_more: the frame was a fragment with others to follow.
WsServerFrames::Step WsServerFrames::take_frame(WsMessage& message, WsOpcode opcode, bool fin,
                                                std::string_view payload) {
    if (opcode == WsOpcode::ping || opcode == WsOpcode::pong || opcode == WsOpcode::close) {
        if (opcode == WsOpcode::close && payload.size() == 1) {
            return fail(1002, "a close frame holds one byte");
        }
        message = {opcode, payload};
        return Step::message;
    }
    if (fragmented_.has_value() != (opcode == WsOpcode::continuation)) {
        return fail(1002, fragmented_ ? "a new message begins inside a fragmented one"
                                      : "a continuation frame without a message to continue");
    }
    const WsOpcode kind = fragmented_.value_or(opcode);
    if (!fin || fragmented_) {
        fragments_ += payload;
        fragmented_ = kind;
        if (!fin) {
            return Step::need_more;
        }
        payload = fragments_;
        fragmented_.reset();
        assembled_taken_ = true;
    }
    if (kind == WsOpcode::text && !is_utf8(payload)) {
        return fail(1007, "a text message is not UTF-8");
    }
    message = {kind, payload};
    return Step::message;
}

bool is_utf8(std::string_view text) {
    std::size_t i = 0;
    while (i < text.size()) {
        const unsigned lead = byte_of(text[i]);
        if (lead < 0x80) {
            ++i;
            continue;
        }
        const std::size_t count = lead >= 0xC2 && lead <= 0xDF   ? 1
                                  : (lead & 0xF0U) == 0xE0       ? 2
                                  : lead >= 0xF0 && lead <= 0xF4 ? 3
                                                                 : 0;
        if (count == 0 || text.size() - i <= count) {
            return false;
        }
        for (std::size_t k = 1; k <= count; ++k) {
            if ((byte_of(text[i + k]) & 0xC0U) != 0x80) {
                return false;
            }
        }
        const unsigned second = byte_of(text[i + 1]);
        if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) ||
            (lead == 0xF4 && second > 0x8F)) {
            return false;  // Overlong forms, surrogates, above U+10FFFF (RFC 3629).
        }
        i += count + 1;
    }
    return true;
}

}  // namespace agentlocator::call
