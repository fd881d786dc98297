#include "supervisor/call/playback.hpp"

#include <doctest/doctest.h>

#include <utility>

using namespace agentlocator;
using namespace agentlocator::call;

namespace {

struct Line {
    Playback playback;
    TimePoint now{};
    std::vector<std::string> echoes;
    Frame heard{};

    bool media(std::size_t bytes, char value = 'a') { return playback.on_media(now, std::string(bytes, value)); }
    bool tick() {
        now += frame_time;
        return playback.on_tick(now, heard, echoes);
    }
    std::vector<std::string> take() { return std::exchange(echoes, {}); }
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("playback: audio is played 160 bytes a tick, silence otherwise") {
    Line line;
    CHECK_FALSE(line.tick());
    CHECK(line.heard[0] == mulaw_silence);
    CHECK(line.media(320));
    CHECK(line.tick());
    CHECK(line.heard[159] == 'a');
    CHECK(line.tick());
    CHECK_FALSE(line.tick());
    CHECK(line.heard[0] == mulaw_silence);
    CHECK(line.playback.played() == 320);
}

TEST_CASE("playback: a mark on an empty buffer is echoed at once, else when its audio has been played") {
    Line line;
    line.playback.on_mark("now", line.echoes);
    CHECK(line.take() == Names{"now"});
    CHECK(line.media(320));
    line.playback.on_mark("end", line.echoes);
    line.playback.on_mark("end", line.echoes);  // A name may be used again: one echo each.
    CHECK(line.tick());
    CHECK(line.take().empty());
    CHECK(line.tick());
    CHECK(line.take() == Names{"end", "end"});
}

TEST_CASE("playback: a mark between two media is echoed when the first is over, though a frame spans both") {
    Line line;
    CHECK(line.media(100, 'a'));
    line.playback.on_mark("m", line.echoes);
    CHECK(line.media(60, 'b'));
    CHECK(line.take().empty());
    CHECK(line.tick());
    CHECK(line.heard[99] == 'a');
    CHECK(line.heard[100] == 'b');
    CHECK(line.take() == Names{"m"});
}

TEST_CASE("playback: clear drops audio and echoes every mark in order; what comes after plays") {
    Line line;
    CHECK(line.media(8000));
    line.playback.on_mark("r2:1", line.echoes);
    CHECK(line.media(8000));
    line.playback.on_mark("r2:2", line.echoes);
    CHECK(line.tick());
    line.playback.on_clear(line.echoes);
    CHECK(line.take() == Names{"r2:1", "r2:2"});
    CHECK(line.playback.buffered() == 0);
    CHECK(line.playback.dropped() == 16000 - 160);
    CHECK_FALSE(line.tick());
    CHECK(line.media(160, 'z'));
    line.playback.on_mark("bye", line.echoes);
    CHECK(line.take().empty());
    CHECK(line.tick());
    CHECK(line.heard[0] == 'z');
    CHECK(line.take() == Names{"bye"});
    line.playback.on_clear(line.echoes);  // On an empty buffer: harmless.
    CHECK(line.take().empty());
}

TEST_CASE("playback: a mark sent just before clear is echoed once, never twice") {
    Line line;
    CHECK(line.media(160));
    line.playback.on_mark("m", line.echoes);
    CHECK(line.tick());
    CHECK(line.take() == Names{"m"});  // Played: in flight while the server sends clear.
    line.playback.on_clear(line.echoes);
    CHECK(line.take().empty());
}

TEST_CASE("playback: part of a frame waits for more, and is padded after 40 ms") {
    Line line;
    CHECK(line.media(260));
    CHECK(line.tick());
    CHECK_FALSE(line.tick());  // 100 bytes left, 20 ms old.
    CHECK(line.media(60, 'b'));
    CHECK(line.tick());
    CHECK(line.heard[99] == 'a');
    CHECK(line.heard[100] == 'b');

    CHECK(line.media(100));
    line.playback.on_mark("tail", line.echoes);
    CHECK_FALSE(line.tick());
    CHECK(line.take().empty());
    CHECK(line.tick());
    CHECK(line.heard[99] == 'a');
    CHECK(line.heard[100] == mulaw_silence);
    CHECK(line.take() == Names{"tail"});
}

TEST_CASE("playback: ten minutes fit, one byte more is discarded whole") {
    Line line;
    CHECK(line.media(playback_bytes_max - 1));
    CHECK_FALSE(line.media(2));
    CHECK(line.playback.buffered() == playback_bytes_max - 1);
    CHECK(line.media(1));
    CHECK_FALSE(line.media(1));
    CHECK(line.tick());
    CHECK(line.media(160));
}

TEST_CASE("playback: a hole inside an utterance is an underrun, a pause between two is not") {
    Line line;
    CHECK(line.media(160));
    CHECK(line.tick());
    CHECK_FALSE(line.tick());
    CHECK_FALSE(line.tick());
    CHECK(line.playback.underruns() == 0);  // It may have been the end.
    CHECK(line.media(160));
    CHECK(line.playback.underruns() == 1);
    CHECK(line.playback.longest_hole() == 40ms);
    CHECK(line.tick());
    line.playback.on_mark("end", line.echoes);
    CHECK_FALSE(line.tick());
    CHECK(line.media(160));
    CHECK(line.playback.underruns() == 1);
    line.playback.on_clear(line.echoes);
    CHECK_FALSE(line.tick());
    CHECK(line.media(160));
    CHECK(line.playback.underruns() == 1);
}
