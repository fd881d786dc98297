#include "supervisor/supervisor.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace agentlocator;

namespace {

constexpr auto ordinary = ExitKind::ordinary;
using Kind = RestartTarget::Kind;

SupervisorPlan plan(std::uint32_t workers, bool bridge = false) {
    SupervisorPlan made;
    made.workers = workers;
    made.bridge = bridge;
    made.helper_limits.drain = 0s;
    return made;
}

// Drives a Supervisor like the shell does, by hand.
struct Bench {
    explicit Bench(const SupervisorPlan& p) : machine(p) { machine.on_start(now, out); }

    [[nodiscard]] SeatId seat(std::uint32_t number, SeatRole role = SeatRole::current) const {
        for (const Seat& s : machine.seats()) {
            if (s.number == number && s.role == role) {
                return s.id;
            }
        }
        return SeatId{0};
    }
    [[nodiscard]] SlotState state(SeatId id) const { return machine.find(id)->slot.state(); }
    SeatActions take() { return std::exchange(out, {}); }
    void all_ready() {
        for (const Seat& s : std::vector<Seat>(machine.seats())) {
            machine.on_ready(now, s.id, out);
        }
    }
    void exit(SeatId id, ExitKind kind = ordinary) { machine.on_exited(now, id, kind, 5, out); }
    void hold(SeatId id) {
        for (int i = 0; i < 100 && state(id) != SlotState::held; ++i) {
            exit(id);
            if (machine.find(id) == nullptr) {
                return;  // The last one: stopping.
            }
            if (const auto deadline = machine.find(id)->slot.deadline()) {
                now = std::max(now, *deadline);
                machine.on_deadline(now, out);
            }
        }
    }

    TimePoint now{1000s};
    SeatActions out;
    Supervisor machine;
};

}  // namespace

TEST_CASE("supervisor: starts every worker and the bridge, runs when all workers serve") {
    Bench bench(plan(2, true));
    CHECK(bench.take().size() == 3);
    CHECK(bench.machine.state() == SupervisorState::starting);
    bench.machine.on_ready(bench.now, bench.seat(1), bench.out);
    CHECK(bench.machine.state() == SupervisorState::starting);
    bench.machine.on_ready(bench.now, bench.seat(2), bench.out);
    CHECK(bench.machine.state() == SupervisorState::running);
}

TEST_CASE("supervisor: a crashing bridge degrades the state and touches no worker") {
    Bench bench(plan(2, true));
    bench.all_ready();
    bench.take();
    const SeatId bridge = bench.seat(0, SeatRole::bridge);
    bench.hold(bridge);
    for (const SeatAction& action : bench.take()) {
        CHECK(action.seat == bridge);
    }
    CHECK(bench.state(bench.seat(1)) == SlotState::serving);
    CHECK(bench.machine.state() == SupervisorState::degraded);
    CHECK_FALSE(bench.machine.finished(bench.now + 24h).has_value());
}

TEST_CASE("supervisor: a bridge that cannot run here is a warning, not a degraded system") {
    Bench bench(plan(2, true));
    bench.all_ready();
    const SeatId bridge = bench.seat(0, SeatRole::bridge);
    bench.exit(bridge, ExitKind::permanent);
    CHECK(bench.state(bridge) == SlotState::held);
    CHECK(bench.machine.state() == SupervisorState::running);
    REQUIRE(bench.machine.restart(bench.now, {Kind::bridge, 0}, false, bench.out).has_value());
    CHECK(bench.out.back() == SeatAction{bridge, SlotAction::spawn});
}

TEST_CASE("supervisor: one held worker degrades, all held workers end the run with `unavailable`") {
    Bench bench(plan(2, true));
    bench.all_ready();
    bench.hold(bench.seat(1));
    CHECK(bench.machine.state() == SupervisorState::degraded);
    CHECK_FALSE(bench.machine.finished(bench.now).has_value());
    bench.take();
    bench.hold(bench.seat(2));
    CHECK(bench.machine.state() == SupervisorState::stopping);
    const SeatId bridge = bench.seat(0, SeatRole::bridge);
    CHECK(bench.out.back() == SeatAction{bridge, SlotAction::terminate});
    CHECK_FALSE(bench.machine.finished(bench.now).has_value());
    bench.exit(bridge);
    CHECK(bench.machine.finished(bench.now) == ExitCode::unavailable);
}

TEST_CASE("supervisor: the speech helper is a seat of its own") {
    SupervisorPlan with_speech = plan(1, true);
    with_speech.speech = true;
    Bench bench(with_speech);
    CHECK(bench.take().size() == 3);
    bench.all_ready();
    const SeatId speech = bench.seat(0, SeatRole::speech);

    SUBCASE("a crash is answered with a start, and touches nobody else") {
        bench.exit(speech);
        while (bench.state(speech) == SlotState::waiting) {
            bench.now = std::max(bench.now, *bench.machine.find(speech)->slot.deadline());
            bench.machine.on_deadline(bench.now, bench.out);
        }
        CHECK(bench.take() == SeatActions{{speech, SlotAction::spawn}});
    }
    SUBCASE("a crash loop is held and degrades the state; a restart of it releases it alone") {
        bench.hold(speech);
        for (const SeatAction& action : bench.take()) {
            CHECK(action.seat == speech);
        }
        CHECK(bench.machine.state() == SupervisorState::degraded);
        REQUIRE(bench.machine.restart(bench.now, {Kind::speech, 0}, false, bench.out).has_value());
        CHECK(bench.take() == SeatActions{{speech, SlotAction::spawn}});
    }
    SUBCASE("a restart of the bridge does not touch it, one of all does, rolling or not") {
        REQUIRE(bench.machine.restart(bench.now, {Kind::bridge, 0}, false, bench.out).has_value());
        for (const SeatAction& action : bench.take()) {
            CHECK(action.seat != speech);
        }
        REQUIRE(bench.machine.restart(bench.now, {Kind::all, 0}, true, bench.out).has_value());
        const SeatActions actions = bench.take();
        CHECK(std::count(actions.begin(), actions.end(), SeatAction{speech, SlotAction::terminate}) == 1);
    }
    SUBCASE("a hang is aborted") {
        bench.machine.on_hang(bench.now, speech, bench.out);
        CHECK(bench.take() == SeatActions{{speech, SlotAction::abort}});
    }
    SUBCASE("a stop ends it, and waits for it") {
        bench.machine.on_stop(bench.now, bench.out);
        bench.exit(bench.seat(1));
        bench.exit(bench.seat(0, SeatRole::bridge));
        CHECK_FALSE(bench.machine.finished(bench.now).has_value());
        bench.exit(speech);
        CHECK(bench.machine.finished(bench.now) == ExitCode::ok);
    }
}

TEST_CASE("supervisor: without a speech helper there is none to restart") {
    Bench bench(plan(1));
    CHECK_FALSE(bench.machine.restart(bench.now, {Kind::speech, 0}, false, bench.out).has_value());
}

TEST_CASE("supervisor: stop drains the workers, terminates the bridge, and is finished when nothing is left") {
    Bench bench(plan(1, true));
    bench.all_ready();
    bench.take();
    const SeatId worker = bench.seat(1);
    const SeatId bridge = bench.seat(0, SeatRole::bridge);
    bench.machine.on_stop(bench.now, bench.out);
    CHECK(bench.take() == SeatActions{{worker, SlotAction::drain}, {bridge, SlotAction::terminate}});
    bench.machine.on_stop(bench.now, bench.out);  // A second SIGTERM.
    CHECK(bench.take() == SeatActions{{worker, SlotAction::terminate}, {bridge, SlotAction::kill}});
    bench.exit(bridge);
    bench.machine.on_stop(bench.now, bench.out);
    CHECK(bench.take() == SeatActions{{worker, SlotAction::kill}});
    CHECK_FALSE(bench.machine.finished(bench.now).has_value());
    bench.exit(worker);
    CHECK(bench.machine.finished(bench.now) == ExitCode::ok);
    CHECK_FALSE(bench.machine.restart(bench.now, {}, false, bench.out).has_value());
    CHECK_FALSE(bench.machine.scale(bench.now, 3, bench.out).has_value());
    CHECK(bench.out.empty());
}

TEST_CASE("supervisor: a process that even SIGKILL does not end cannot keep the stop from ending") {
    Bench bench(plan(1));
    bench.all_ready();
    bench.machine.on_stop(bench.now, bench.out);
    while (!bench.machine.finished(bench.now)) {
        REQUIRE(bench.machine.deadline().has_value());
        bench.now = *bench.machine.deadline();
        bench.machine.on_deadline(bench.now, bench.out);
    }
    CHECK(bench.machine.finished(bench.now) == ExitCode::failed);
    CHECK(bench.now <= TimePoint{1000s} + 60s);
}

TEST_CASE("supervisor: rolling restart has the new worker ready before the old one drains, one number at a time") {
    Bench bench(plan(2));
    bench.all_ready();
    bench.take();
    const SeatId old_one = bench.seat(1);
    const SeatId old_two = bench.seat(2);
    REQUIRE(bench.machine.restart(bench.now, {Kind::all, 0}, true, bench.out).has_value());
    const SeatId new_one = bench.seat(1, SeatRole::successor);
    CHECK(bench.take() == SeatActions{{new_one, SlotAction::spawn}});
    CHECK(bench.machine.state() == SupervisorState::running);
    CHECK_FALSE(bench.machine.restart(bench.now, {Kind::all, 0}, true, bench.out).has_value());
    bench.machine.on_ready(bench.now, new_one, bench.out);
    CHECK(bench.take() == SeatActions{{old_one, SlotAction::drain}});
    CHECK(bench.seat(1) == new_one);
    CHECK(bench.seat(1, SeatRole::outgoing) == old_one);
    bench.exit(old_one);
    const SeatId new_two = bench.seat(2, SeatRole::successor);
    CHECK(bench.take() == SeatActions{{new_two, SlotAction::spawn}});
    bench.machine.on_ready(bench.now, new_two, bench.out);
    CHECK(bench.take() == SeatActions{{old_two, SlotAction::drain}});
    CHECK(bench.machine.rolling());
    bench.exit(old_two);
    CHECK_FALSE(bench.machine.rolling());
    CHECK(bench.machine.rolling_fault().empty());
    CHECK(bench.machine.seats().size() == 2);
    CHECK(bench.machine.state() == SupervisorState::running);
}

TEST_CASE("supervisor: a successor that does not start leaves the old generation in place") {
    Bench bench(plan(2));
    bench.all_ready();
    const SeatId old_one = bench.seat(1);
    REQUIRE(bench.machine.restart(bench.now, {Kind::worker, 1}, true, bench.out).has_value());
    bench.take();
    const SeatId successor = bench.seat(1, SeatRole::successor);
    for (int i = 0; i < 100 && bench.machine.find(successor) != nullptr; ++i) {
        bench.exit(successor);
        if (const auto deadline = bench.machine.deadline()) {
            bench.now = *deadline;
            bench.machine.on_deadline(bench.now, bench.out);
        }
    }
    CHECK(bench.machine.find(successor) == nullptr);
    CHECK_FALSE(bench.machine.rolling());
    CHECK_FALSE(bench.machine.rolling_fault().empty());
    CHECK(bench.state(old_one) == SlotState::serving);
    CHECK(bench.machine.state() == SupervisorState::running);
}

TEST_CASE("supervisor: scale adds and drains from the top, and takes back what was leaving") {
    Bench bench(plan(2));
    bench.all_ready();
    bench.take();
    REQUIRE(bench.machine.scale(bench.now, 3, bench.out).has_value());
    const SeatId three = bench.seat(3);
    CHECK(bench.take() == SeatActions{{three, SlotAction::spawn}});
    bench.all_ready();
    REQUIRE(bench.machine.scale(bench.now, 1, bench.out).has_value());
    CHECK(bench.take() == SeatActions{{bench.seat(2), SlotAction::drain}, {three, SlotAction::drain}});
    CHECK(bench.machine.state() == SupervisorState::running);
    bench.exit(three);
    CHECK(bench.machine.find(three) == nullptr);
    REQUIRE(bench.machine.scale(bench.now, 2, bench.out).has_value());
    CHECK(bench.take().empty());
    bench.exit(bench.seat(2));
    CHECK(bench.take() == SeatActions{{bench.seat(2), SlotAction::spawn}});
    CHECK_FALSE(bench.machine.scale(bench.now, 0, bench.out).has_value());
    CHECK(bench.machine.scale(bench.now, workers_max, bench.out).has_value());
    CHECK_FALSE(bench.machine.scale(bench.now, workers_max + 1, bench.out).has_value());
}

TEST_CASE("supervisor: restart names what does not exist") {
    Bench bench(plan(2));
    CHECK_FALSE(bench.machine.restart(bench.now, {Kind::worker, 0}, false, bench.out).has_value());
    CHECK_FALSE(bench.machine.restart(bench.now, {Kind::worker, 3}, false, bench.out).has_value());
    CHECK_FALSE(bench.machine.restart(bench.now, {Kind::bridge, 0}, false, bench.out).has_value());
    CHECK(bench.machine.restart(bench.now, {Kind::worker, 2}, false, bench.out).has_value());
}

namespace {

// A supervisor that takes over from a dead one.
struct Heir {
    explicit Heir(const SupervisorPlan& p) : machine(p) {}
    SeatId adopt(std::uint32_t number, bool leaving = false) {
        Supervisor::Adopted process;
        process.number = number;
        process.leaving = leaving;
        process.spawns = 4;
        return machine.adopt(now, process, out);
    }
    void start() { machine.on_start(now, out); }
    SeatActions take() { return std::exchange(out, {}); }

    TimePoint now{1000s};
    SeatActions out;
    Supervisor machine;
};

}  // namespace

TEST_CASE("supervisor: adopted processes serve at once, and only what is missing is started") {
    Heir heir(plan(3, true));
    heir.adopt(0);
    heir.adopt(1);
    heir.adopt(3);
    heir.start();
    const SeatActions out = heir.take();
    REQUIRE(out.size() == 1);
    CHECK(out[0].action == SlotAction::spawn);
    CHECK(heir.machine.find(out[0].seat)->number == 2);
    CHECK(heir.machine.seats().front().spawns == 4);
    heir.machine.on_ready(heir.now, out[0].seat, heir.out);
    CHECK(heir.machine.state() == SupervisorState::running);
}

TEST_CASE("supervisor: adopted workers beyond the wanted number are sent away") {
    Heir heir(plan(1));
    heir.adopt(1);
    const SeatId second = heir.adopt(2);
    heir.start();
    CHECK(heir.take() == SeatActions{{second, SlotAction::drain}});
    heir.machine.on_exited(heir.now, second, ordinary, 1, heir.out);
    CHECK(heir.take().empty());
    CHECK(heir.machine.seats().size() == 1);
}

TEST_CASE("supervisor: of two adopted workers with one number the later stays") {
    Heir heir(plan(1));
    const SeatId old = heir.adopt(1);
    const SeatId young = heir.adopt(1);
    heir.start();
    CHECK(heir.take() == SeatActions{{old, SlotAction::drain}});
    CHECK(heir.machine.find(old)->role == SeatRole::outgoing);
    CHECK(heir.machine.find(young)->role == SeatRole::current);
    CHECK(heir.machine.state() == SupervisorState::running);
}

TEST_CASE("supervisor: an adopted worker that was leaving leaves, and its number is filled") {
    Heir heir(plan(1));
    const SeatId leaving = heir.adopt(1, true);
    heir.start();
    const SeatActions out = heir.take();
    REQUIRE(out.size() == 1);
    CHECK(out[0].action == SlotAction::spawn);
    CHECK(out[0].seat != leaving);
    heir.now += 30s;
    heir.machine.on_deadline(heir.now, heir.out);
    CHECK(heir.take() == SeatActions{{leaving, SlotAction::terminate}, {out[0].seat, SlotAction::abort}});
}

TEST_CASE("supervisor: an adopted worker's crashes count with those of before") {
    SupervisorPlan p = plan(2);
    p.restart.crash_limit = 3;
    Heir heir(p);
    Supervisor::Adopted process;
    process.number = 1;
    process.crashes = {heir.now - 2s, heir.now - 1s};
    const SeatId id = heir.machine.adopt(heir.now, process, heir.out);
    heir.start();
    heir.machine.on_exited(heir.now, id, ordinary, 1, heir.out);
    CHECK(heir.machine.find(id)->slot.state() == SlotState::held);
}

TEST_CASE("supervisor: a successor that fails twice ends a rolling restart, one failure does not") {
    Bench bench(plan(2));
    bench.all_ready();
    bench.take();
    REQUIRE(bench.machine.restart(bench.now, {Kind::all, 0}, true, bench.out).has_value());
    const SeatId successor = bench.seat(1, SeatRole::successor);
    bench.exit(successor);
    CHECK(bench.machine.rolling());
    if (const auto deadline = bench.machine.deadline()) {
        bench.now = *deadline;
        bench.machine.on_deadline(bench.now, bench.out);
    }
    bench.exit(successor);
    CHECK_FALSE(bench.machine.rolling());
    CHECK_FALSE(bench.machine.rolling_fault().empty());
    CHECK(bench.state(bench.seat(1)) == SlotState::serving);
}
