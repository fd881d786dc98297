#include "supervisor/mode_control.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;

namespace {

const TimePoint now{1000s};

}  // namespace

TEST_CASE("mode_control: a debug mode with a period returns to the configured one by itself") {
    ModeControl mode(WsMode::ai, ModeSource::environment, true);
    CHECK(mode.set(now, WsMode::echo, 10min).has_value());
    CHECK(mode.view() == ModeView{WsMode::echo, ModeSource::command, now + 10min});
    mode.on_deadline(now + 10min - 1ns);
    CHECK(mode.view().mode == WsMode::echo);
    mode.on_deadline(now + 10min);
    CHECK(mode.view() == ModeView{WsMode::ai, ModeSource::environment, std::nullopt});
    CHECK_FALSE(mode.deadline().has_value());
}

TEST_CASE("mode_control: where AI is enforced another mode must have an end") {
    ModeControl enforced(WsMode::ai, ModeSource::enforced, true);
    CHECK_FALSE(enforced.set(now, WsMode::echo, std::nullopt).has_value());
    CHECK(enforced.view().mode == WsMode::ai);
    ModeControl open(WsMode::ai, ModeSource::fallback, false);
    CHECK(open.set(now, WsMode::sink, std::nullopt).has_value());
    CHECK(open.view() == ModeView{WsMode::sink, ModeSource::command, std::nullopt});
}

TEST_CASE("mode_control: the period is 1 ns to 24 h") {
    ModeControl mode(WsMode::ai, ModeSource::fallback, false);
    CHECK_FALSE(mode.set(now, WsMode::echo, 0s).has_value());
    CHECK_FALSE(mode.set(now, WsMode::echo, -1s).has_value());
    CHECK(mode.set(now, WsMode::echo, 24h).has_value());
    CHECK_FALSE(mode.set(now, WsMode::echo, 24h + 1ns).has_value());
}

TEST_CASE("mode_control: setting the configured mode ends the temporary one; a reload does not") {
    ModeControl mode(WsMode::ai, ModeSource::fallback, false);
    CHECK(mode.set(now, WsMode::echo, 10min).has_value());
    mode.configure(WsMode::sink, ModeSource::file);
    CHECK(mode.view().mode == WsMode::echo);
    CHECK(mode.set(now, WsMode::sink, std::nullopt).has_value());
    CHECK(mode.view() == ModeView{WsMode::sink, ModeSource::file, std::nullopt});
}
