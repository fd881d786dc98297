#include "worker/ws_codec.hpp"

#include <doctest/doctest.h>

#include "support.hpp"

using namespace agentlocator;
using namespace agentlocator::test;

namespace {

WsParse parse(const Bytes& bytes, WsFrameHeader& header) {
    return read_frame_header(bytes, header);
}

}  // namespace

TEST_CASE("ws_codec: every size form is read, and only when all its bytes are there") {
    for (const std::size_t size : {0U, 1U, 125U, 126U, 65'535U, 65'536U}) {
        CAPTURE(size);
        const Bytes frame = client_frame(std::string(size, 'x'));
        WsFrameHeader header;
        REQUIRE(parse(frame, header) == WsParse::ok);
        CHECK(header.payload_size == size);
        CHECK(header.header_size + size == frame.size());
        for (std::size_t cut = 0; cut < header.header_size; ++cut) {
            WsFrameHeader partial;
            CHECK(parse(Bytes(frame.begin(), frame.begin() + static_cast<long>(cut)), partial) == WsParse::need_more);
        }
    }
}

TEST_CASE("ws_codec: a payload one past the limit is refused from its header alone") {
    const Bytes frame = client_frame(std::string(message_bytes_max + 1, 'x'));
    WsFrameHeader header;
    CHECK(parse(Bytes(frame.begin(), frame.begin() + 10), header) == WsParse::too_large);
}

TEST_CASE("ws_codec: what RFC 6455 forbids a client is refused") {
    WsFrameHeader header;
    CHECK(parse({0x81, 0x01, 'x'}, header) == WsParse::bad);              // Not masked.
    CHECK(parse({0xc1, 0x81, 0, 0, 0, 0, 'x'}, header) == WsParse::bad);  // RSV1.
    CHECK(parse({0x83, 0x80, 0, 0, 0, 0}, header) == WsParse::bad);       // Reserved opcode.
    CHECK(parse({0x8b, 0x80, 0, 0, 0, 0}, header) == WsParse::bad);
    CHECK(parse({0x09, 0x80, 0, 0, 0, 0}, header) == WsParse::bad);  // Fragmented ping.
    CHECK(parse({0x89, 0xfe, 0, 126}, header) == WsParse::bad);      // Ping of 126 bytes.
    CHECK(parse({0x81, 0xfe, 0, 125}, header) == WsParse::bad);      // Not the shortest form.
    CHECK(parse({0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, header) == WsParse::bad);
    CHECK(parse({0x81, 0xff, 0x80, 0, 0, 0, 0, 1, 0, 0}, header) == WsParse::bad);  // Top bit of the long size.
}

TEST_CASE("ws_codec: unmasking is right at every length and tells ASCII from the rest") {
    for (std::size_t size = 0; size < 40; ++size) {
        std::string text(size, 'a');
        for (std::size_t i = 0; i < size; ++i) {
            text[i] = static_cast<char>('a' + i % 26);
        }
        for (const bool ascii : {true, false}) {
            if (!ascii && size == 0) {
                continue;
            }
            std::string sent = text;
            if (!ascii) {
                sent[size / 2] = '\xd7';
            }
            const Bytes frame = client_frame(sent, WsOpcode::text, true, 0xdeadbeef);
            WsFrameHeader header;
            REQUIRE(parse(frame, header) == WsParse::ok);
            std::string out(size, '?');
            const std::uint8_t seen = copy_unmasked(std::span(frame).subspan(header.header_size), header.mask,
                                                    reinterpret_cast<std::uint8_t*>(out.data()));
            CHECK(out == sent);
            CHECK((seen < 0x80) == ascii);
        }
    }
}

TEST_CASE("ws_codec: UTF-8 is judged by RFC 3629") {
    const auto valid = [](std::string_view text) {
        return valid_utf8({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    };
    CHECK(valid("שלום"));
    CHECK(valid("\xf0\x9f\x91\x8b"));
    CHECK_FALSE(valid("\xd7"));              // Cut off.
    CHECK_FALSE(valid("\xc0\xaf"));          // Overlong.
    CHECK_FALSE(valid("\xed\xa0\x80"));      // Surrogate.
    CHECK_FALSE(valid("\xf4\x90\x80\x80"));  // Above U+10FFFF.
    CHECK_FALSE(valid("\xff"));
    CHECK_FALSE(valid("\x80"));
}
