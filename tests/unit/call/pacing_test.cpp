#include "supervisor/call/pacing.hpp"

#include <doctest/doctest.h>

#include "supervisor/call/playback.hpp"

using namespace agentlocator;
using namespace agentlocator::call;

namespace {

struct Line {
    Pacing pacing;
    TimePoint now{};

    void media(int frames, Duration at) { pacing.on_media(now + at, static_cast<std::size_t>(frames) * frame_bytes); }
    [[nodiscard]] const PacingReport& report() const { return pacing.report(); }
};

}  // namespace

TEST_CASE("pacing: the first frame sets the clock, each other one is due when all before it was played") {
    Line line;
    line.media(1, 7ms);
    CHECK(line.report().late.count() == 0);
    line.media(1, 27ms);  // Just in time.
    line.media(1, 30ms);  // 17 ms ahead.
    CHECK(line.report().late.count() == 2);
    CHECK(line.report().late.max() == 0ms);
    CHECK(line.report().lead_max == 17ms);
    line.media(1, 72ms);  // Due at 67.
    CHECK(line.report().late.count() == 3);
    CHECK(line.report().late.max() == 5ms);
    line.media(1, 92ms);  // The hole moved the clock: lateness is told once.
    CHECK(line.report().late.percentile(0.67) == 0ms);
    CHECK(line.report().late.max() == 5ms);
}

TEST_CASE("pacing: each frame of a message is due at its own time") {
    Line line;
    line.media(5, 0ms);
    CHECK(line.report().late.count() == 4);
    CHECK(line.report().lead_max == 80ms);
    line.media(2, 110ms);  // 10 ms late; the second follows it.
    CHECK(line.report().late.count() == 6);
    CHECK(line.report().late.max() == 10ms);
    CHECK(line.report().late.percentile(0.8) == 0ms);
}

TEST_CASE("pacing: a mark or clear ends an utterance, and what comes after a pause is not late") {
    Line line;
    line.media(2, 0ms);
    line.pacing.on_mark();
    line.media(2, 500ms);
    CHECK(line.report().late.count() == 2);
    line.media(50, 501ms);
    line.pacing.on_clear(line.now + 600ms);
    line.media(2, 700ms);
    CHECK(line.report().late.max() == 0ms);
    line.pacing.on_mark();
    line.media(1, 720ms);  // The next sentence while the last one plays: it has a due time.
    CHECK(line.report().late.count() == 2 + 50 + 1 + 1);
}

TEST_CASE("pacing: what is ahead counts once an utterance is a second old, its most at once") {
    Line line;
    line.media(51, 0ms);
    CHECK(line.report().lead.count() == 0);
    CHECK(line.report().lead_max == 1s);
    line.media(1, 1000ms - 1ms);
    CHECK(line.report().lead.count() == 0);
    line.media(1, 1000ms);
    CHECK(line.report().lead.count() == 1);
    CHECK(line.report().lead.max() == 40ms);
}

TEST_CASE("pacing: the longest silence is from the end of what was played to what comes next, or to now") {
    Line line;
    line.pacing.begin(line.now);
    line.media(50, 300ms);
    CHECK(line.report().silence_max == 300ms);
    line.pacing.on_tick(line.now + 1300ms);
    CHECK(line.report().silence_max == 300ms);
    line.pacing.on_tick(line.now + 1700ms);
    CHECK(line.report().silence_max == 400ms);
    line.media(50, 1800ms);
    CHECK(line.report().silence_max == 500ms);
    line.pacing.on_clear(line.now + 1900ms);
    line.pacing.on_tick(line.now + 2500ms);
    CHECK(line.report().silence_max == 600ms);
}
