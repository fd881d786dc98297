#include "supervisor/process_slot.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <ostream>

using namespace agentlocator;

namespace {

using After = ProcessSlot::After;
using Action = SlotAction;
using State = SlotState;

const TimePoint now{1000s};
const SlotLimits limits;
const RestartLimits restart{.crash_limit = 3};

struct Outcome {
    Action action;
    State state;
    friend bool operator==(const Outcome&, const Outcome&) = default;
    friend std::ostream& operator<<(std::ostream& out, const Outcome& o) {
        return out << to_string(o.action) << " -> " << to_string(o.state);
    }
};

// Every situation a slot can be in; `stopping` once for each meaning and step it has.
const std::map<std::string, ProcessSlot> situations = [] {
    std::map<std::string, ProcessSlot> made;
    ProcessSlot slot(limits, restart);
    made.emplace("vacant", slot);
    (void)slot.on_start(now);
    made.emplace("starting", slot);
    {
        ProcessSlot s = slot;
        (void)s.on_exited(now, ExitKind::ordinary, 5);
        made.emplace("waiting", s);
        s = slot;
        (void)s.on_exited(now, ExitKind::permanent, 5);
        made.emplace("held", s);
        s = slot;
        (void)s.on_deadline(now + limits.start);
        made.emplace("stopping: aborted", s);
        (void)s.on_deadline(*s.deadline());
        made.emplace("stopping: killed", s);
    }
    (void)slot.on_ready(now);
    made.emplace("serving", slot);
    {
        ProcessSlot s = slot;
        (void)s.on_stop(now, After::vacate);
        made.emplace("draining", s);
        (void)s.on_deadline(*s.deadline());
        made.emplace("stopping: leaving", s);
        s = slot;
        (void)s.on_stop(now, After::start_again);
        made.emplace("draining: restart", s);
        (void)s.on_deadline(*s.deadline());
        made.emplace("stopping: restart", s);
    }
    return made;
}();

Outcome after(const std::string& situation, const std::function<Action(ProcessSlot&)>& event) {
    ProcessSlot slot = situations.at(situation);
    const Action action = event(slot);
    return {action, slot.state()};
}

using Row = std::map<std::string, Outcome>;

void check_row(const char* event, const std::function<Action(ProcessSlot&)>& act, const Row& expected) {
    CAPTURE(event);
    REQUIRE(expected.size() == situations.size());  // The table is whole.
    for (const auto& row : expected) {
        CAPTURE(row.first);
        CHECK(after(row.first, act) == row.second);
    }
}

}  // namespace

TEST_CASE("process_slot: table of all situations and events") {
    using enum SlotState;
    const Outcome stays_stopping{Action::none, stopping};
    check_row("start", [](ProcessSlot& s) { return s.on_start(now); },
              {{"vacant", {Action::spawn, starting}},
               {"starting", {Action::none, starting}},
               {"serving", {Action::none, serving}},
               {"draining", {Action::none, draining}},
               {"draining: restart", {Action::none, draining}},
               {"waiting", {Action::spawn, starting}},
               {"held", {Action::spawn, starting}},
               {"stopping: aborted", stays_stopping},
               {"stopping: killed", stays_stopping},
               {"stopping: leaving", stays_stopping},
               {"stopping: restart", stays_stopping}});
    check_row("spawn failed", [](ProcessSlot& s) { return s.on_spawn_failed(now, 5); },
              {{"vacant", {Action::none, vacant}},
               {"starting", {Action::none, waiting}},
               {"serving", {Action::none, serving}},
               {"draining", {Action::none, draining}},
               {"draining: restart", {Action::none, draining}},
               {"waiting", {Action::none, waiting}},
               {"held", {Action::none, held}},
               {"stopping: aborted", stays_stopping},
               {"stopping: killed", stays_stopping},
               {"stopping: leaving", stays_stopping},
               {"stopping: restart", stays_stopping}});
    check_row("ready", [](ProcessSlot& s) { return s.on_ready(now); },
              {{"vacant", {Action::none, vacant}},
               {"starting", {Action::none, serving}},
               {"serving", {Action::none, serving}},
               {"draining", {Action::none, draining}},
               {"draining: restart", {Action::none, draining}},
               {"waiting", {Action::none, waiting}},
               {"held", {Action::none, held}},
               {"stopping: aborted", stays_stopping},
               {"stopping: killed", stays_stopping},
               {"stopping: leaving", stays_stopping},
               {"stopping: restart", stays_stopping}});
    check_row("exited", [](ProcessSlot& s) { return s.on_exited(now, ExitKind::ordinary, 5); },
              {{"vacant", {Action::none, vacant}},
               {"starting", {Action::none, waiting}},
               {"serving", {Action::none, waiting}},
               {"draining", {Action::none, vacant}},
               {"draining: restart", {Action::spawn, starting}},
               {"waiting", {Action::none, waiting}},
               {"held", {Action::none, held}},
               {"stopping: aborted", {Action::none, waiting}},
               {"stopping: killed", {Action::none, waiting}},
               {"stopping: leaving", {Action::none, vacant}},
               {"stopping: restart", {Action::spawn, starting}}});
    check_row("exited for good", [](ProcessSlot& s) { return s.on_exited(now, ExitKind::permanent, 5); },
              {{"vacant", {Action::none, vacant}},
               {"starting", {Action::none, held}},
               {"serving", {Action::none, held}},
               {"draining", {Action::none, vacant}},
               {"draining: restart", {Action::spawn, starting}},
               {"waiting", {Action::none, waiting}},
               {"held", {Action::none, held}},
               {"stopping: aborted", {Action::none, held}},
               {"stopping: killed", {Action::none, held}},
               {"stopping: leaving", {Action::none, vacant}},
               {"stopping: restart", {Action::spawn, starting}}});
    check_row("hang", [](ProcessSlot& s) { return s.on_hang(now); },
              {{"vacant", {Action::none, vacant}},
               {"starting", {Action::none, starting}},
               {"serving", {Action::abort, stopping}},
               {"draining", {Action::abort, stopping}},
               {"draining: restart", {Action::abort, stopping}},
               {"waiting", {Action::none, waiting}},
               {"held", {Action::none, held}},
               {"stopping: aborted", stays_stopping},
               {"stopping: killed", stays_stopping},
               {"stopping: leaving", stays_stopping},
               {"stopping: restart", stays_stopping}});
    check_row("deadline", [](ProcessSlot& s) { return s.on_deadline(now + 24h); },
              {{"vacant", {Action::none, vacant}},
               {"starting", {Action::abort, stopping}},
               {"serving", {Action::none, serving}},
               {"draining", {Action::terminate, stopping}},
               {"draining: restart", {Action::terminate, stopping}},
               {"waiting", {Action::spawn, starting}},
               {"held", {Action::none, held}},
               {"stopping: aborted", {Action::kill, stopping}},
               {"stopping: killed", {Action::kill, stopping}},
               {"stopping: leaving", {Action::kill, stopping}},
               {"stopping: restart", {Action::kill, stopping}}});
    check_row("stop", [](ProcessSlot& s) { return s.on_stop(now, After::vacate); },
              {{"vacant", {Action::none, vacant}},
               {"starting", {Action::terminate, stopping}},
               {"serving", {Action::drain, draining}},
               {"draining", {Action::none, draining}},
               {"draining: restart", {Action::none, draining}},
               {"waiting", {Action::none, vacant}},
               {"held", {Action::none, vacant}},
               {"stopping: aborted", stays_stopping},
               {"stopping: killed", stays_stopping},
               {"stopping: leaving", stays_stopping},
               {"stopping: restart", stays_stopping}});
    check_row("restart", [](ProcessSlot& s) { return s.on_stop(now, After::start_again); },
              {{"vacant", {Action::spawn, starting}},
               {"starting", {Action::terminate, stopping}},
               {"serving", {Action::drain, draining}},
               {"draining", {Action::none, draining}},
               {"draining: restart", {Action::none, draining}},
               {"waiting", {Action::spawn, starting}},
               {"held", {Action::spawn, starting}},
               {"stopping: aborted", stays_stopping},
               {"stopping: killed", stays_stopping},
               {"stopping: leaving", stays_stopping},
               {"stopping: restart", stays_stopping}});
    check_row("hurry", [](ProcessSlot& s) { return s.on_hurry(now); },
              {{"vacant", {Action::none, vacant}},
               {"starting", {Action::none, starting}},
               {"serving", {Action::none, serving}},
               {"draining", {Action::terminate, stopping}},
               {"draining: restart", {Action::terminate, stopping}},
               {"waiting", {Action::none, waiting}},
               {"held", {Action::none, held}},
               {"stopping: aborted", {Action::kill, stopping}},
               {"stopping: killed", stays_stopping},
               {"stopping: leaving", {Action::kill, stopping}},
               {"stopping: restart", {Action::kill, stopping}}});
}

TEST_CASE("process_slot: deadlines are exact") {
    ProcessSlot slot(limits, restart);
    (void)slot.on_start(now);
    CHECK(slot.deadline() == now + limits.start);
    CHECK(slot.on_deadline(now + limits.start - 1ns) == Action::none);
    CHECK(slot.state() == State::starting);
    CHECK(slot.on_deadline(now + limits.start) == Action::abort);
    CHECK(slot.deadline() == now + limits.start + limits.abort);
}

TEST_CASE(
    "process_slot: a stop told twice, or after a restart, ends empty; a restart does not revive what must leave") {
    for (const char* situation : {"draining", "draining: restart", "stopping: restart", "stopping: aborted"}) {
        CAPTURE(situation);
        ProcessSlot slot = situations.at(situation);
        (void)slot.on_stop(now, After::vacate);
        (void)slot.on_stop(now, After::start_again);
        CHECK(slot.on_exited(now, ExitKind::ordinary, 0) == Action::none);
        CHECK(slot.state() == State::vacant);
    }
    ProcessSlot wanted_again = situations.at("draining");
    (void)wanted_again.on_start(now);
    CHECK(wanted_again.on_exited(now, ExitKind::ordinary, 0) == Action::spawn);
}

TEST_CASE("process_slot: without a drain period a stop is SIGTERM at once") {
    ProcessSlot slot({.drain = 0s}, restart);
    (void)slot.on_start(now);
    (void)slot.on_ready(now);
    CHECK(slot.on_stop(now, After::vacate) == Action::terminate);
}

TEST_CASE("process_slot: a worker that hangs after a healthy minute is restarted at once when it is dead") {
    ProcessSlot slot(limits, restart);
    (void)slot.on_start(now);
    (void)slot.on_ready(now);
    CHECK(slot.on_hang(now + 61s) == Action::abort);
    CHECK(slot.on_exited(now + 62s, ExitKind::ordinary, 5) == Action::spawn);
}

TEST_CASE("process_slot: crashes up to the limit hold the slot; a restart forgives") {
    ProcessSlot slot(limits, restart);
    TimePoint t = now;
    (void)slot.on_start(t);
    for (int crash = 1; crash <= 2; ++crash) {
        CHECK(slot.on_exited(t, ExitKind::ordinary, 5) == Action::none);
        CHECK(slot.state() == State::waiting);
        t = *slot.deadline();
        CHECK(slot.on_deadline(t) == Action::spawn);
    }
    CHECK(slot.on_exited(t, ExitKind::ordinary, 5) == Action::none);
    CHECK(slot.state() == State::held);
    CHECK_FALSE(slot.deadline().has_value());
    CHECK(slot.on_stop(t, After::start_again) == Action::spawn);
    CHECK(slot.on_exited(t, ExitKind::ordinary, 5) == Action::none);
    CHECK(slot.state() == State::waiting);
}

TEST_CASE("process_slot: an exec that fails is a crash, a fork that fails is not") {
    ProcessSlot slot(limits, restart);
    (void)slot.on_start(now);
    for (int i = 0; i < 50; ++i) {
        CHECK(slot.on_spawn_failed(now, 5) == Action::none);
        CHECK(slot.state() == State::waiting);
        CHECK(slot.on_deadline(*slot.deadline()) == Action::spawn);
    }
}

TEST_CASE("process_slot: deaths of a call's bytes neither hold the slot nor slow its start down") {
    ProcessSlot slot(limits, restart);
    TimePoint t = now;
    (void)slot.on_start(t);
    for (int death = 0; death < 100; ++death) {
        (void)slot.on_ready(t);
        CHECK(slot.on_exited(t, ExitKind::of_a_call, ~0ULL - static_cast<std::uint64_t>(death)) == Action::none);
        REQUIRE(slot.state() == State::waiting);
        CHECK(*slot.deadline() - t <= RestartLimits{}.base);
        t = *slot.deadline();
        CHECK(slot.on_deadline(t) == Action::spawn);
    }
    CHECK(slot.policy().crashes_in_window(t) == 0);
    CHECK(slot.policy().level() == 0);
}

TEST_CASE("process_slot: a worker whose calls wait for it starts soon, but its crashes count") {
    ProcessSlot slot(limits, {.crash_limit = 20, .crash_window = std::chrono::hours(1)});
    TimePoint t = now;
    (void)slot.on_start(t);
    for (int crash = 1; crash < 20; ++crash) {
        (void)slot.on_ready(t);
        t += 500ms;
        CHECK(slot.on_exited(t, ExitKind::awaited, ~0ULL - static_cast<std::uint64_t>(crash)) == Action::none);
        REQUIRE(slot.state() == State::waiting);
        CHECK(*slot.deadline() - t <= RestartLimits{}.base);
        t = *slot.deadline();
        CHECK(slot.on_deadline(t) == Action::spawn);
    }
    (void)slot.on_ready(t);
    t += 500ms;
    CHECK(slot.on_exited(t, ExitKind::awaited, 7) == Action::none);
    CHECK(slot.state() == State::held);
}

TEST_CASE("process_slot: one that never became ready backs off though calls wait") {
    ProcessSlot slot(limits, {.crash_limit = 0});
    TimePoint t = now;
    (void)slot.on_start(t);
    for (int crash = 0; crash < 8; ++crash) {
        (void)slot.on_exited(t, ExitKind::awaited, ~0ULL);
        if (slot.state() == State::waiting) {
            t = *slot.deadline();
            (void)slot.on_deadline(t);
        }
    }
    (void)slot.on_exited(t, ExitKind::awaited, static_cast<std::uint64_t>(RestartLimits{}.base.count() * 20));
    REQUIRE(slot.state() == State::waiting);
    CHECK(*slot.deadline() - t > RestartLimits{}.base);
}
