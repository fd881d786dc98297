#include "supervisor/call/mulaw.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

using namespace agentlocator::call;

TEST_CASE("mu-law: the corner values of ITU-T G.711") {
    CHECK(decode_mulaw(0xFF) == 0);
    CHECK(decode_mulaw(0x7F) == 0);
    CHECK(decode_mulaw(0x00) == -32124);
    CHECK(decode_mulaw(0x80) == 32124);
    CHECK(decode_mulaw(0xFE) == 8);
    CHECK(encode_mulaw(0) == 0xFF);
    CHECK(encode_mulaw(32767) == 0x80);
    CHECK(encode_mulaw(-32768) == 0x00);
}

TEST_CASE("mu-law: each code survives a round trip, each sample stays within half a step") {
    for (int code = 0; code < 256; ++code) {
        if (code != 0x7F) {  // Minus zero becomes zero.
            CHECK(encode_mulaw(decode_mulaw(static_cast<std::uint8_t>(code))) == code);
        }
    }
    for (int sample = -32768; sample <= 32767; ++sample) {
        const int back = decode_mulaw(encode_mulaw(static_cast<std::int16_t>(sample)));
        const int step = 8 + (std::abs(sample) + 132) / 32;  // Steps grow with the magnitude, 1/32 of it.
        REQUIRE(std::abs(back - sample) <= step + (std::abs(sample) > 32124 ? 644 : 0));
    }
}
