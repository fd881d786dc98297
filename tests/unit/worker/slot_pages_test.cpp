#include "worker/io/slot_pages.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "support.hpp"
#include "tests/unit/voice/signal.hpp"
#include "worker/base64.hpp"

using namespace agentlocator;
using namespace agentlocator::test;

namespace {

std::size_t allocated(const SlabFile& file) {
    struct stat facts {};
    REQUIRE(::fstat(file.fd.get(), &facts) == 0);
    return static_cast<std::size_t>(facts.st_blocks) * 512;
}

void hear(StreamUnderTest& t, const Signal& signal) {
    const auto audio = mulaw(signal);
    std::string text(base64_size(160), '?');
    for (std::size_t at = 0; at + 160 <= audio.size(); at += 160) {
        t.now += 20ms;
        base64_encode({&audio[at], 160}, text.data());
        t.media(text);
        if (at % 800 == 0) {
            t.stream.on_tick(t.now);
        }
        t.sent();
    }
}

std::size_t use_of_a_call(WsMode mode, double seconds) {
    StreamUnderTest t(mode);
    t.start();
    t.sent();
    t.now += 3s;  // The greeting was heard.
    t.stream.on_tick(t.now);
    const std::size_t before = allocated(t.file);
    hear(t, white(seconds, -60));
    return allocated(t.file) - before;
}

}  // namespace

TEST_CASE("slot_pages: a call that only listens touches two pages more, however long; ECHO and SINK none") {
    CHECK(use_of_a_call(WsMode::sink, 2) == 0);
    CHECK(use_of_a_call(WsMode::echo, 2) == 0);
    CHECK(use_of_a_call(WsMode::ai, 2) <= 8192);
    CHECK(use_of_a_call(WsMode::ai, 20) <= 8192);
}

TEST_CASE("slot_pages: what a call said and heard is given back, and the slot is as new") {
    StreamUnderTest t(WsMode::ai);
    t.start();
    t.sent();
    hear(t, then(white(3, -60), voice(10, -22)));
    const std::size_t during = allocated(t.file);
    give_back_voice(t.file.slab->slots[7]);
    CHECK(allocated(t.file) + 80'000 < during);
    CHECK(t.call().voice().recent[0] == 0);
}
