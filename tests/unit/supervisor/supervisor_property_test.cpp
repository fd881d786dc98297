// Random events against the whole machine, with the invariants every supervisor lives by checked after each one.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>

#include "supervisor/supervisor.hpp"

using namespace agentlocator;

namespace {

constexpr int sequences = 4000;
constexpr int events_each = 60;  // Together more than 10^5 events.

// What the operating system would know: which seats have a process, and what was asked of it.
class World {
public:
    World(std::mt19937_64& random, const SupervisorPlan& plan) : random_(random), plan_(plan), machine_(plan) {
        machine_.on_start(now_, out_);
        perform();
    }

    void step() {
        switch (random_() % 12) {
            case 0:
            case 1:
                with_process([&](SeatId seat) { machine_.on_ready(now_, seat, out_); });
                break;
            case 2:
            case 3:
                with_process([&](SeatId seat) { die(seat); });
                break;
            case 4:
                with_process([&](SeatId seat) { machine_.on_hang(now_, seat, out_); });
                break;
            case 5:
                now_ += std::chrono::milliseconds(random_() % 20'000);
                machine_.on_deadline(now_, out_);
                break;
            case 6:
            case 7:
                if (const auto deadline = machine_.deadline()) {
                    now_ = std::max(now_, *deadline);
                    machine_.on_deadline(now_, out_);
                }
                break;
            case 8: {
                const RestartTarget target{static_cast<RestartTarget::Kind>(random_() % 3),
                                           static_cast<std::uint32_t>(random_() % 5)};
                (void)machine_.restart(now_, target, random_() % 2 == 0, out_);
                break;
            }
            case 9:
                (void)machine_.scale(now_, static_cast<std::uint32_t>(random_() % 5), out_);
                break;
            case 10:
                // Late and foreign events must change nothing harmful.
                machine_.on_exited(now_, SeatId{random_() % 50 + 1000}, ExitKind::ordinary, random_(), out_);
                machine_.on_ready(now_, SeatId{0}, out_);
                break;
            case 11:
                if (random_() % 8 == 0) {
                    machine_.on_stop(now_, out_);
                    stopped_ = true;
                }
                break;
        }
        perform();
    }

    // 5: from every reachable state, stop plus passing time leads to "all gone" within the sum of deadlines.
    void stop_and_finish() {
        machine_.on_stop(now_, out_);
        stopped_ = true;
        perform();
        const TimePoint begun = now_;
        int rounds = 0;
        while (!machine_.finished(now_)) {
            REQUIRE(++rounds < 10'000);
            if (random_() % 2 == 0) {
                with_process([&](SeatId seat) {
                    if (random_() % 3 == 0 || killed_[seat]) {
                        die(seat);
                    }
                });
            } else {
                REQUIRE(machine_.deadline().has_value());
                now_ = std::max(now_, *machine_.deadline());
                machine_.on_deadline(now_, out_);
            }
            perform();
        }
        CHECK(now_ - begun <= plan_.worker_limits.drain + plan_.worker_limits.term + plan_.worker_limits.kill_again +
                                  plan_.stop_margin);
        if (*machine_.finished(now_) != ExitCode::failed) {
            CHECK(alive_.empty());
        }
    }

private:
    void with_process(const std::function<void(SeatId)>& function) {
        if (!alive_.empty()) {
            function(alive_[random_() % alive_.size()]);
        }
    }

    void die(SeatId seat) {
        alive_.erase(std::find(alive_.begin(), alive_.end(), seat));
        killed_.erase(seat);
        const auto kind = random_() % 10 == 0 ? ExitKind::permanent : ExitKind::ordinary;
        machine_.on_exited(now_, seat, kind, random_(), out_);
    }

    void perform() {
        // Spawn failures feed events back, so actions are taken from a copy until there are none.
        while (!out_.empty()) {
            const SeatActions actions = std::exchange(out_, {});
            for (const SeatAction& action : actions) {
                const bool alive = std::find(alive_.begin(), alive_.end(), action.seat) != alive_.end();
                if (action.action == SlotAction::spawn) {
                    REQUIRE_FALSE(alive);     // 1 and 3: never two processes in a slot.
                    REQUIRE_FALSE(stopped_);  // 2: what is to be down is never started.
                    if (random_() % 10 == 0) {
                        machine_.on_spawn_failed(now_, action.seat, random_(), out_);
                    } else {
                        alive_.push_back(action.seat);
                    }
                } else {
                    REQUIRE(alive);  // Only a living, unreaped process may be signalled: its pid is still ours.
                    killed_[action.seat] = killed_[action.seat] || action.action == SlotAction::kill;
                }
            }
        }
        check();
    }

    void check() {
        std::map<std::uint32_t, int> current;
        std::map<std::uint32_t, int> living;
        for (const Seat& seat : machine_.seats()) {
            const SlotState state = seat.slot.state();
            const bool timed = state == SlotState::starting || state == SlotState::draining ||
                               state == SlotState::stopping || state == SlotState::waiting;
            REQUIRE(seat.slot.deadline().has_value() == timed);  // 6: no forgotten and no stray timer.
            const bool alive = std::find(alive_.begin(), alive_.end(), seat.id) != alive_.end();
            REQUIRE(seat.slot.has_process() == alive);
            constexpr std::uint32_t speech = 1'000'000;  // A number of its own: the bridge has 0.
            const std::uint32_t key = seat.role == SeatRole::speech ? speech : seat.number;
            current[key] += seat.role == SeatRole::current || !is_worker(seat.role) ? 1 : 0;
            living[key] += alive ? 1 : 0;
        }
        for (const auto& [number, count] : current) {
            REQUIRE(count <= 1);
            REQUIRE(living[number] <= (number == 0 || number > workers_max ? 1 : 2));  // Two only inside a hand-over, never two helpers.
        }
        for (const SeatId seat : alive_) {
            REQUIRE(machine_.find(seat) != nullptr);  // No process is ever forgotten.
        }
        stopped_ = stopped_ || machine_.state() == SupervisorState::stopping;
    }

    std::mt19937_64& random_;
    SupervisorPlan plan_;
    Supervisor machine_;
    TimePoint now_{1000s};
    SeatActions out_;
    std::vector<SeatId> alive_;
    std::map<SeatId, bool> killed_;
    bool stopped_ = false;
};

}  // namespace

TEST_CASE("supervisor: invariants hold under random events, and every stop ends") {
    const std::uint64_t seed = std::random_device{}();
    MESSAGE("seed " << seed);
    std::mt19937_64 random(seed);
    for (int i = 0; i < sequences; ++i) {
        CAPTURE(i);
        SupervisorPlan plan;
        plan.workers = static_cast<std::uint32_t>(random() % 3 + 1);
        plan.bridge = random() % 2 == 0;
        plan.speech = random() % 2 == 0;
        plan.helper_limits.drain = 0s;
        World world(random, plan);
        for (int event = 0; event < events_each; ++event) {
            world.step();
        }
        world.stop_and_finish();
    }
}

TEST_CASE("supervisor: unplanned spawns in any window stay below the crash limit") {
    const std::uint64_t seed = std::random_device{}();
    MESSAGE("seed " << seed);
    std::mt19937_64 random(seed);
    for (int run = 0; run < 300; ++run) {
        SupervisorPlan plan;
        plan.workers = 2;  // The second never crashes, so that the run goes on when the first is held.
        Supervisor machine(plan);
        TimePoint now{1000s};
        SeatActions out;
        machine.on_start(now, out);
        const SeatId seat = machine.seats().front().id;
        machine.on_ready(now, machine.seats().back().id, out);
        std::vector<TimePoint> spawns;
        for (int i = 0; i < 200 && machine.find(seat)->slot.state() != SlotState::held; ++i) {
            if (machine.find(seat)->slot.has_process()) {
                spawns.push_back(now);
                if (random() % 4 != 0) {
                    machine.on_ready(now, seat, out);
                }
                now += std::chrono::milliseconds(random() % 3 == 0 ? random() % 120'000 : random() % 100);
                machine.on_exited(now, seat, ExitKind::ordinary, random(), out);
            } else {
                now = *machine.find(seat)->slot.deadline();
                machine.on_deadline(now, out);
            }
        }
        for (const TimePoint from : spawns) {
            const auto inside = std::count_if(spawns.begin(), spawns.end(), [&](TimePoint t) {
                return t >= from && t < from + plan.restart.crash_window;
            });
            REQUIRE(inside <= plan.restart.crash_limit + 1);
        }
    }
}
