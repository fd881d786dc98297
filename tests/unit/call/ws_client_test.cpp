#include "supervisor/call/ws_client.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace agentlocator::call;

namespace {

struct Seen {
    WsOpcode kind;
    std::string payload;
    friend bool operator==(const Seen&, const Seen&) = default;
};

std::string server_frame(unsigned head, std::string_view payload) {
    std::string out(1, static_cast<char>(head));
    if (payload.size() < 126) {
        out += static_cast<char>(payload.size());
    } else if (payload.size() <= 0xFFFF) {
        out += '\x7E';
        out += static_cast<char>(payload.size() >> 8);
        out += static_cast<char>(payload.size() & 0xFF);
    } else {
        out += '\x7F';
        for (int i = 7; i >= 0; --i) {
            out += static_cast<char>(payload.size() >> (8 * i) & 0xFF);
        }
    }
    return out + std::string(payload);
}

// Fed in pieces of `step` bytes. The last entry of a failed stream is its close code as text.
std::vector<Seen> read_all(std::string_view bytes, std::size_t step) {
    WsServerFrames frames;
    std::vector<Seen> seen;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        frames.push(bytes.substr(at, step));
        WsMessage message;
        WsServerFrames::Step result{};
        while ((result = frames.next(message)) == WsServerFrames::Step::message) {
            seen.push_back({message.kind, std::string(message.payload)});
        }
        if (result == WsServerFrames::Step::failed) {
            seen.push_back({WsOpcode::close, "failed " + std::to_string(frames.close_code())});
            return seen;
        }
    }
    return seen;
}

std::string unmask(std::string_view frame, std::size_t header) {
    std::string payload(frame.substr(header + 4));
    for (std::size_t i = 0; i < payload.size(); ++i) {
        payload[i] = static_cast<char>(payload[i] ^ frame[header + (i & 3)]);
    }
    return payload;
}

const UpgradeRequest twilio{
    "voice.example.com", "/twilio/media", "dGhlIHNhbXBsZSBub25jZQ==", "ZGLq5x5lwA3JplybVQGvOJI5P/8=", "", ""};
const std::string good_answer =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

std::string refusal(std::string_view bytes, const UpgradeRequest& request = twilio) {
    const auto result = check_upgrade_answer(bytes, request);
    return result.has_error() ? result.error().detail : "";
}

}  // namespace

TEST_CASE("upgrade: the request carries Twilio's headers in Twilio's order and no others") {
    CHECK(upgrade_request(twilio) ==
          "GET /twilio/media HTTP/1.1\r\nHost: voice.example.com\r\nUser-Agent: Twilio.TmeWs/1.0\r\n"
          "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
          "Sec-WebSocket-Version: 13\r\nX-Twilio-Signature: ZGLq5x5lwA3JplybVQGvOJI5P/8=\r\n\r\n");
    UpgradeRequest offering = twilio;
    offering.signature.clear();
    offering.subprotocol = "audio.twilio.com";
    CHECK(upgrade_request(offering).find("Sec-WebSocket-Protocol: audio.twilio.com\r\n") != std::string::npos);
    CHECK(upgrade_request(offering).find("X-Twilio-Signature") == std::string::npos);
}

TEST_CASE("upgrade: a valid 101 is taken, split at each byte, and says where frames begin") {
    const std::string bytes = good_answer + "\x81\x02hi";
    for (std::size_t size = 0; size < good_answer.size(); ++size) {
        const auto early = check_upgrade_answer(std::string_view(bytes).substr(0, size), twilio);
        REQUIRE(early.has_value());
        CHECK_FALSE(early->has_value());
    }
    const auto done = check_upgrade_answer(bytes, twilio);
    REQUIRE(done.has_value());
    REQUIRE(done->has_value());
    CHECK((*done)->size == good_answer.size());
}

TEST_CASE("upgrade: anything but a correct 101 is refused with its reason") {
    const auto with = [](std::string_view from, std::string_view to) {
        std::string text = good_answer;
        text.replace(text.find(from), from.size(), to);
        return text;
    };
    CHECK(refusal(good_answer).empty());
    CHECK(refusal(with("websocket", "WebSocket")).empty());
    CHECK(refusal(with("Connection: Upgrade", "connection: keep-alive, upgrade")).empty());
    CHECK(refusal("HTTP/1.1 403 Forbidden\r\n\r\n") == "upgrade answered 403 Forbidden");
    CHECK(refusal("HTTP/1.1 301 Moved\r\nLocation: /x\r\n\r\n") == "upgrade answered 301 Moved");
    CHECK(refusal("SSH-2.0-OpenSSH\r\n\r\n").starts_with("answer to the upgrade is not HTTP/1.1"));
    CHECK(refusal(with("Upgrade: websocket\r\n", "")).find("Upgrade: websocket") != std::string::npos);
    CHECK(refusal(with("Upgrade: websocket\r\n", "Upgrade: websocket\r\nUpgrade: websocket\r\n")) !=
          "");  // F: duplicated.
    CHECK(refusal(with("Connection: Upgrade\r\n", "")) != "");
    CHECK(refusal(with("s3pPLM", "s3pPLN")) == "101 with a wrong Sec-WebSocket-Accept");
    const std::string protocol = "Sec-WebSocket-Protocol: audio.twilio.com\r\n\r\n";
    const std::string volunteered = good_answer.substr(0, good_answer.size() - 2) + protocol;
    CHECK(refusal(volunteered) == "101 names a subprotocol that was not offered");
    UpgradeRequest offering = twilio;
    offering.subprotocol = "audio.twilio.com";
    CHECK(refusal(volunteered, offering).empty());
    CHECK(refusal(good_answer, offering) != "");
    CHECK(refusal(good_answer.substr(0, good_answer.size() - 2) +
                  "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n") != "");
    CHECK(refusal(std::string(upgrade_answer_bytes_max, 'x')).empty());
    CHECK(refusal(std::string(upgrade_answer_bytes_max + 1, 'x')) != "");
}

TEST_CASE("frames out: masked, shortest length, RFC 6455 5.7 example") {
    std::string out;
    append_client_frame(out, WsOpcode::text, "Hello", 0x37fa213d);
    CHECK(out == "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    for (const std::size_t size : {std::size_t{0}, std::size_t{7}, std::size_t{8}, std::size_t{9}, std::size_t{125},
                                   std::size_t{126}, std::size_t{65535}, std::size_t{65536}}) {
        CAPTURE(size);
        std::string payload;
        for (std::size_t i = 0; i < size; ++i) {
            payload += static_cast<char>(i * 7);
        }
        out.clear();
        append_client_frame(out, WsOpcode::binary, payload, 0xA1B2C3D4);
        const std::size_t header = size < 126 ? 2 : size < 65536 ? 4 : 10;
        CHECK(out.size() == header + 4 + size);
        CHECK(unmask(out, header) == payload);
    }
    out.clear();
    append_client_frame(out, WsOpcode::text, "x", 0, {.fin = false, .masked = false, .reserved = 4});
    CHECK(out == "\x41\x01x");
}

TEST_CASE("frames in: messages, fragments with a ping between, control frames; split at each size") {
    const std::string long_text(70'000, 'a');
    const std::string bytes = server_frame(0x81, "one") + server_frame(0x01, "fr") + server_frame(0x89, "ping") +
                              server_frame(0x00, "ag") + server_frame(0x80, "ment") + server_frame(0x82, "\x01\x02") +
                              server_frame(0x81, std::string(126, 'b')) + server_frame(0x81, "") +
                              server_frame(0x81, long_text) + server_frame(0x8A, "pong") +
                              server_frame(0x88, std::string("\x03\xE8") + "bye");
    const std::vector<Seen> wanted{{WsOpcode::text, "one"},
                                   {WsOpcode::ping, "ping"},
                                   {WsOpcode::text, "fragment"},
                                   {WsOpcode::binary, "\x01\x02"},
                                   {WsOpcode::text, std::string(126, 'b')},
                                   {WsOpcode::text, ""},
                                   {WsOpcode::text, long_text},
                                   {WsOpcode::pong, "pong"},
                                   {WsOpcode::close, std::string("\x03\xE8") + "bye"}};
    for (const std::size_t step :
         {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}, std::size_t{1000}, bytes.size()}) {
        CAPTURE(step);
        CHECK(read_all(bytes, step) == wanted);
    }
}

TEST_CASE("frames in: broken framing fails with the code of RFC 6455 7.4.1") {
    const auto last = [](const std::string& bytes) { return read_all(bytes, 1).back().payload; };
    CHECK(last("\x81\x82\x01\x02\x03\x04hi") == "failed 1002");  // Masked.
    CHECK(last(server_frame(0xC1, "x")) == "failed 1002");       // Reserved bit.
    CHECK(last(server_frame(0x83, "x")) == "failed 1002");       // Reserved opcodes.
    CHECK(last(server_frame(0x8B, "x")) == "failed 1002");
    CHECK(last(server_frame(0x09, "x")) == "failed 1002");                    // Fragmented control.
    CHECK(last(server_frame(0x89, std::string(126, 'x'))) == "failed 1002");  // Long control.
    CHECK(read_all(server_frame(0x89, std::string(125, 'x')), 1).back().kind == WsOpcode::ping);
    CHECK(last(server_frame(0x80, "x")) == "failed 1002");  // Nothing to continue.
    CHECK(last(server_frame(0x01, "x") + server_frame(0x81, "y")) == "failed 1002");
    CHECK(last(std::string("\x81\x7E\x00\x05hello", 9)) == "failed 1002");  // 5 in two bytes.
    CHECK(last(std::string("\x81\x7F\x00\x00\x00\x00\x00\x00\xFF\xFF", 10)) == "failed 1002");
    CHECK(last(server_frame(0x88, "x")) == "failed 1002");
    CHECK(last(server_frame(0x81, "\xC3\x28")) == "failed 1007");
    CHECK(last(std::string("\x81\x7F\x00\x00\x00\x00\x00\x80\x00\x01", 10)) == "failed 1009");  // One past the limit.
}

TEST_CASE("frames in: nothing is read after a failure") {
    WsServerFrames frames;
    frames.push(server_frame(0xC1, "x") + server_frame(0x81, "good"));
    WsMessage message;
    CHECK(frames.next(message) == WsServerFrames::Step::failed);
    CHECK(frames.next(message) == WsServerFrames::Step::failed);
}

TEST_CASE("close: code and text, or 1005 when there is none") {
    CHECK(read_close("").code == 1005);
    CHECK(read_close(std::string("\x03\xF1") + "too big").code == 1009);
    CHECK(read_close(std::string("\x03\xF1") + "too big").text == "too big");
}

TEST_CASE("utf-8: RFC 3629, with the forms it forbids") {
    for (const char* good : {"", "a", "é", "א", "€", "😀", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"}) {
        CHECK(is_utf8(good));
    }
    for (const char* bad : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
                            "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xC3", "\xE2\x82", "a\xFF"}) {
        CAPTURE(bad);
        CHECK_FALSE(is_utf8(bad));
    }
}
