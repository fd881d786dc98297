#include "worker/providers/ws_client.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "common/text.hpp"
#include "worker/digest.hpp"
#include "worker/ws_codec.hpp"

namespace agentlocator {
namespace {

constexpr std::uint8_t fin_bit = 0x80;
constexpr std::uint8_t mask_bit = 0x80;
constexpr std::uint8_t opcode_bits = 0x0f;
constexpr std::uint8_t reserved_bits = 0x70;

std::uint8_t opcode(WsOpcode code) {
    return static_cast<std::uint8_t>(code);
}

std::span<const std::uint8_t> bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

constexpr std::string_view no_answer = "the upgrade got no whole HTTP answer";

}  // namespace

WsClient::WsClient(std::string_view url, const std::vector<HttpHeader>& headers, Options options)
    : options_(std::move(options)),
      handshake_(HttpLimits{.header_bytes_max = 16U << 10U, .body_bytes_max = 64U << 10U}) {
    const std::string key = to_base64(options_.key);
    // RFC 6455 4.2.2: proves that the server understood, and is no cache.
    expected_accept_ = to_base64(sha1(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    const std::string_view origin = url_origin(url);
    std::string target(url.substr(origin.size()));
    if (!target.starts_with('/')) {
        target = "/" + target;
    }
    const std::string_view host = origin.substr(std::min(origin.find("://") + 3, origin.size()));
    output_ =
        "GET " + target + " HTTP/1.1\r\nHost: " + std::string(host) +
        "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key +
        "\r\nUser-Agent: agentlocator/" AGENTLOCATOR_VERSION "\r\n";
    for (const HttpHeader& header : headers) {
        output_ += header.name + ": " + header.value + "\r\n";
    }
    output_ += "\r\n";
}

void WsClient::feed(std::string_view bytes, std::vector<WsEvent>& events) {
    if (state_ == State::opening) {
        read_handshake(bytes, events);
    } else if (state_ == State::open) {
        input_ += bytes;
        read_frames(events);
    }
}

void WsClient::read_handshake(std::string_view bytes, std::vector<WsEvent>& events) {
    heard_ = heard_ || !bytes.empty();
    std::size_t used = 0;
    while (used < bytes.size()) {
        std::size_t consumed = 0;
        const HttpParse parsed = handshake_.feed(bytes.substr(used), consumed);
        used += consumed;
        if (parsed == HttpParse::failed) {
            fail(0, no_answer, events);
            return;
        }
        if (parsed == HttpParse::complete) {
            judge_handshake(events);
            if (state_ == State::open) {
                input_ += bytes.substr(used);
                read_frames(events);
            }
            return;
        }
        if (consumed == 0) {
            return;
        }
    }
}

void WsClient::judge_handshake(std::vector<WsEvent>& events) {
    HttpResponse response = handshake_.take();
    WsEvent event;
    event.head = {static_cast<int>(response.status), std::move(response.headers)};
    if (response.status != 101) {
        state_ = State::over;
        event.kind = WsEvent::Kind::refused;
        event.payload = std::move(response.body);
        events.push_back(std::move(event));
        return;
    }
    if (event.head.header("sec-websocket-accept") != expected_accept_ ||
        !equal_no_case(event.head.header("upgrade"), "websocket") ||
        !event.head.header("sec-websocket-extensions").empty()) {
        fail(0, "the upgrade was not answered as RFC 6455 asks", events);
        return;
    }
    state_ = State::open;
    event.kind = WsEvent::Kind::opened;
    events.push_back(std::move(event));
    output_ += waiting_;
    waiting_.clear();
}

void WsClient::read_frames(std::vector<WsEvent>& events) {
    std::size_t at = 0;
    while (state_ == State::open && input_.size() - at >= 2) {
        const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(input_[at + i]); };
        const std::size_t short_size = byte(1) & 0x7fU;
        const std::size_t size_bytes = short_size == 126 ? 2 : short_size == 127 ? 8 : 0;
        if ((byte(1) & mask_bit) != 0) {  // RFC 6455 5.1: a server must not mask.
            fail(ws_close::protocol_error, "a masked frame", events);
            break;
        }
        if (input_.size() - at < 2 + size_bytes) {
            break;
        }
        std::uint64_t size = short_size;
        if (size_bytes != 0) {
            size = 0;
            for (std::size_t i = 0; i < size_bytes; ++i) {
                size = size << 8U | byte(2 + i);
            }
        }
        if (size > message_bytes_max || message_.size() + size > message_bytes_max) {
            fail(ws_close::too_large, "a message is too large", events);
            break;
        }
        const std::size_t whole = 2 + size_bytes + static_cast<std::size_t>(size);
        if (input_.size() - at < whole) {
            break;
        }
        const std::string_view payload =
            std::string_view(input_).substr(at + 2 + size_bytes, static_cast<std::size_t>(size));
        if (!take_frame(byte(0), payload, events)) {
            break;
        }
        at += whole;
    }
    input_.erase(0, std::min(at, input_.size()));
}

bool WsClient::take_frame(std::uint8_t first, std::string_view payload, std::vector<WsEvent>& events) {
    const std::uint8_t code = first & opcode_bits;
    const bool fin = (first & fin_bit) != 0;
    const bool control = (code & 8U) != 0;
    if ((first & reserved_bits) != 0 || (control && (!fin || payload.size() > control_payload_max))) {
        fail(ws_close::protocol_error, "a broken frame", events);
        return false;
    }
    if (code == opcode(WsOpcode::ping)) {
        write_frame(opcode(WsOpcode::pong), payload, output_);
        return true;
    }
    if (code == opcode(WsOpcode::pong)) {
        return true;
    }
    if (code == opcode(WsOpcode::close)) {
        take_close(payload, events);
        return false;
    }
    const bool continues = code == opcode(WsOpcode::continuation);
    if (code > opcode(WsOpcode::binary) || continues == (message_opcode_ == 0)) {
        fail(ws_close::protocol_error, "a frame out of order", events);
        return false;
    }
    if (!continues) {
        message_opcode_ = code;
    }
    message_ += payload;
    if (!fin) {
        return true;
    }
    const bool text = message_opcode_ == opcode(WsOpcode::text);
    if (text && !valid_utf8(bytes_of(message_))) {
        fail(ws_close::bad_text, "a text that is not UTF-8", events);
        return false;
    }
    WsEvent event;
    event.kind = text ? WsEvent::Kind::text : WsEvent::Kind::binary;
    event.payload = std::move(message_);
    events.push_back(std::move(event));
    message_.clear();
    message_opcode_ = 0;
    return true;
}

void WsClient::take_close(std::string_view payload, std::vector<WsEvent>& events) {
    WsEvent event;
    event.kind = WsEvent::Kind::closed;
    event.code = ws_close::no_code;
    if (payload.size() >= 2) {
        const auto high = static_cast<std::uint8_t>(payload[0]);
        const auto low = static_cast<std::uint8_t>(payload[1]);
        event.code = static_cast<std::uint16_t>(high << 8U | low);
        event.payload = payload.substr(2);
    }
    if (!close_sent_) {
        close_sent_ = true;
        write_frame(opcode(WsOpcode::close), payload.substr(0, std::min<std::size_t>(payload.size(), 2)), output_);
    }
    state_ = State::over;
    events.push_back(std::move(event));
}

void WsClient::feed_end(std::vector<WsEvent>& events) {
    constexpr std::uint16_t broken = 1006;  // RFC 6455 7.1.5: no close frame was received.
    if (state_ == State::opening) {
        if (handshake_.feed_end() == HttpParse::complete) {
            judge_handshake(events);
        } else if (heard_) {  // In whatever pieces it came: garbage is not told from an answer that was cut.
            fail(0, no_answer, events);
        }
        if (state_ != State::opening) {
            return;
        }
    }
    if (state_ != State::over) {
        state_ = State::over;
        WsEvent event;
        event.kind = WsEvent::Kind::closed;
        event.code = broken;
        events.push_back(std::move(event));
    }
}

void WsClient::fail(std::uint16_t code, std::string_view why, std::vector<WsEvent>& events) {
    if (code != 0) {
        close(code);
    }
    state_ = State::over;
    WsEvent event;
    event.kind = WsEvent::Kind::failed;
    event.payload = why;
    events.push_back(std::move(event));
}

void WsClient::write_frame(std::uint8_t code, std::string_view payload, std::string& out) {
    out.push_back(static_cast<char>(fin_bit | code));
    const std::size_t size_bytes = payload.size() < 126 ? 0 : payload.size() < 65'536 ? 2 : 8;
    const std::size_t short_size = size_bytes == 0 ? payload.size() : size_bytes == 2 ? 126 : 127;
    out.push_back(static_cast<char>(mask_bit | short_size));
    for (std::size_t i = size_bytes; i > 0; --i) {
        out.push_back(static_cast<char>(std::uint64_t{payload.size()} >> (8 * (i - 1))));
    }
    const std::uint32_t value = options_.mask();
    char mask[4];
    std::memcpy(mask, &value, sizeof mask);
    out.append(mask, sizeof mask);
    const std::size_t start = out.size();
    out += payload;
    for (std::size_t i = 0; i < payload.size(); ++i) {
        out[start + i] = static_cast<char>(out[start + i] ^ mask[i % 4]);
    }
}

void WsClient::send_text(std::string_view text) {
    if (state_ != State::over && !close_sent_) {
        write_frame(opcode(WsOpcode::text), text, state_ == State::open ? output_ : waiting_);
    }
}

void WsClient::send_binary(std::string_view bytes) {
    if (state_ != State::over && !close_sent_) {
        write_frame(opcode(WsOpcode::binary), bytes, state_ == State::open ? output_ : waiting_);
    }
}

void WsClient::close(std::uint16_t code) {
    if (state_ != State::open || close_sent_) {
        return;
    }
    close_sent_ = true;
    const char payload[2] = {static_cast<char>(code >> 8U), static_cast<char>(code & 0xffU)};
    write_frame(opcode(WsOpcode::close), {payload, 2}, output_);
}

std::string WsClient::take_output() {
    return std::exchange(output_, {});
}

}  // namespace agentlocator
