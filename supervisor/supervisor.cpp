#include "supervisor/supervisor.hpp"

#include <algorithm>
#include <utility>

#include "common/ensure.hpp"

namespace agentlocator {

std::string_view to_string(SupervisorState state) {
    switch (state) {
        case SupervisorState::starting:
            return "starting";
        case SupervisorState::running:
            return "running";
        case SupervisorState::degraded:
            return "degraded";
        case SupervisorState::stopping:
            return "stopping";
    }
    ensure_failed("SupervisorState has a name", __FILE__, __LINE__);
}

// A build that fails twice to start would fail for ever; one failure may have been an accident (SIGKILL, memory).
constexpr std::size_t successor_failures_max = 2;

Seat& Supervisor::add(std::uint32_t number, SeatRole role) {
    const SlotLimits& limits = is_worker(role) ? plan_.worker_limits : plan_.helper_limits;
    seats_.push_back(Seat{SeatId{next_seat_++}, number, role, ProcessSlot(limits, plan_.restart), 0, false});
    return seats_.back();
}

Seat* Supervisor::find_mutable(SeatId seat) {
    const auto found = std::find_if(seats_.begin(), seats_.end(), [&](const Seat& s) { return s.id == seat; });
    return found == seats_.end() ? nullptr : &*found;
}

const Seat* Supervisor::find(SeatId seat) const {
    const auto found = std::find_if(seats_.begin(), seats_.end(), [&](const Seat& s) { return s.id == seat; });
    return found == seats_.end() ? nullptr : &*found;
}

Seat* Supervisor::current(std::uint32_t number) {
    const auto found = std::find_if(seats_.begin(), seats_.end(),
                                    [&](const Seat& s) { return s.number == number && s.role == SeatRole::current; });
    return found == seats_.end() ? nullptr : &*found;
}

Seat* Supervisor::helper(SeatRole role) {
    const auto found = std::find_if(seats_.begin(), seats_.end(), [&](const Seat& s) { return s.role == role; });
    return found == seats_.end() ? nullptr : &*found;
}

void Supervisor::add_helper(TimePoint now, SeatRole role, SeatActions& out) {
    Seat& seat = add(0, role);
    act(seat, seat.slot.on_start(now), out);
}

void Supervisor::act(Seat& seat, SlotAction action, SeatActions& out) {
    if (action == SlotAction::none) {
        return;
    }
    if (action == SlotAction::spawn) {
        ++seat.spawns;
    }
    out.push_back({seat.id, action});
}

SeatId Supervisor::adopt(TimePoint now, const Adopted& process, SeatActions& out) {
    const bool is_bridge = process.number == 0;
    const auto old_one = std::find_if(seats_.begin(), seats_.end(), [&](const Seat& s) {
        return s.number == process.number && s.role != SeatRole::outgoing && !process.leaving;
    });
    if (old_one != seats_.end()) {
        old_one->role = SeatRole::outgoing;
        act(*old_one, old_one->slot.on_stop(now, ProcessSlot::After::vacate), out);
    }
    Seat& seat = add(process.number, is_bridge         ? SeatRole::bridge
                                     : process.leaving ? SeatRole::outgoing
                                                       : SeatRole::current);
    RestartPolicy past(plan_.restart);
    past.restore(process.level, process.crashes);
    seat.slot.on_adopted(now, past, process.leaving);
    seat.spawns = process.spawns;
    return seat.id;
}

void Supervisor::on_start(TimePoint now, SeatActions& out) {
    for (std::uint32_t number = 1; number <= plan_.workers; ++number) {
        if (current(number) == nullptr) {
            Seat& seat = add(number, SeatRole::current);
            act(seat, seat.slot.on_start(now), out);
        }
    }
    for (Seat& seat : seats_) {
        if (seat.role == SeatRole::current && seat.number > plan_.workers) {
            act(seat, seat.slot.on_stop(now, ProcessSlot::After::vacate), out);
        }
    }
    if (plan_.bridge && helper(SeatRole::bridge) == nullptr) {
        add_helper(now, SeatRole::bridge, out);
    }
    if (plan_.speech) {
        add_helper(now, SeatRole::speech, out);
    }
    was_running_ = state() == SupervisorState::running;
}

void Supervisor::on_spawn_failed(TimePoint now, SeatId id, std::uint64_t random, SeatActions& out) {
    if (Seat* seat = find_mutable(id)) {
        act(*seat, seat->slot.on_spawn_failed(now, random), out);
        if (seat->rescuer) {
            act(*seat, seat->slot.on_stop(now, ProcessSlot::After::vacate), out);
        }
        settle(now, out);
    }
}

void Supervisor::on_ready(TimePoint now, SeatId id, SeatActions& out) {
    if (Seat* seat = find_mutable(id)) {
        act(*seat, seat->slot.on_ready(now), out);
        if (seat->rescuer) {
            act(*seat, seat->slot.on_stop(now, ProcessSlot::After::vacate), out);
        }
        settle(now, out);
    }
}

void Supervisor::on_exited(TimePoint now, SeatId id, ExitKind kind, std::uint64_t random, SeatActions& out) {
    if (Seat* seat = find_mutable(id)) {
        if (seat->rescuer) {
            (void)seat->slot.on_stop(now, ProcessSlot::After::vacate);  // It has ended by itself.
        }
        act(*seat, seat->slot.on_exited(now, kind, random), out);
        settle(now, out);
    }
}

void Supervisor::rescue(TimePoint now, std::uint32_t number, SeatActions& out) {
    if (stop_deadline_) {
        return;
    }
    Seat& seat = add(number, SeatRole::outgoing);
    seat.rescuer = true;
    act(seat, seat.slot.on_start(now), out);
}

bool Supervisor::rescuing() const {
    return std::any_of(seats_.begin(), seats_.end(), [](const Seat& seat) { return seat.rescuer; });
}

void Supervisor::on_hang(TimePoint now, SeatId id, SeatActions& out) {
    if (Seat* seat = find_mutable(id)) {
        act(*seat, seat->slot.on_hang(now), out);
        settle(now, out);
    }
}

void Supervisor::on_deadline(TimePoint now, SeatActions& out) {
    for (Seat& seat : seats_) {
        act(seat, seat.slot.on_deadline(now), out);
    }
    settle(now, out);
}

void Supervisor::on_stop(TimePoint now, SeatActions& out) {
    if (!stop_deadline_) {
        begin_stop(now, ExitCode::ok, out);
        return;
    }
    for (Seat& seat : seats_) {
        act(seat, seat.slot.on_hurry(now), out);
    }
}

void Supervisor::begin_stop(TimePoint now, ExitCode code, SeatActions& out) {
    exit_code_ = code;
    rolling_.reset();
    const auto longest = [](const SlotLimits& limits) {
        return limits.drain + std::max(limits.term, limits.abort) + limits.kill_again;
    };
    stop_deadline_ = now + std::max(longest(plan_.worker_limits), longest(plan_.helper_limits)) + plan_.stop_margin;
    for (Seat& seat : seats_) {
        act(seat, seat.slot.on_stop(now, ProcessSlot::After::vacate), out);
    }
    remove_empty();
}

Result<void> Supervisor::restart(TimePoint now, RestartTarget target, bool rolling, SeatActions& out) {
    using Kind = RestartTarget::Kind;
    if (stop_deadline_) {
        return error(Errc::refused, "the supervisor is stopping");
    }
    if (target.kind == Kind::bridge && helper(SeatRole::bridge) == nullptr) {
        return error(Errc::not_found, "there is no bridge to restart");
    }
    if (target.kind == Kind::speech && helper(SeatRole::speech) == nullptr) {
        return error(Errc::not_found, "there is no speech helper to restart");
    }
    if (target.kind == Kind::worker &&
        (target.number == 0 || target.number > plan_.workers || current(target.number) == nullptr)) {
        return error(Errc::not_found, "there is no worker " + std::to_string(target.number) + "; workers are 1 to " +
                                          std::to_string(plan_.workers));
    }
    if (rolling && rolling_) {
        return error(Errc::refused, "a rolling restart is already under way");
    }
    std::vector<std::uint32_t> numbers;
    if (target.kind == Kind::worker) {
        numbers.push_back(target.number);
    } else if (target.kind == Kind::all) {
        for (std::uint32_t number = 1; number <= plan_.workers; ++number) {
            numbers.push_back(number);
        }
    }
    // Two bridges on one WhatsApp account knock each other out: the old one always ends before the new one starts.
    // The speech helper is not rolled either: calls wait at its socket for the milliseconds of its start.
    for (const auto& [role, kind] : {std::pair{SeatRole::bridge, Kind::bridge}, {SeatRole::speech, Kind::speech}}) {
        Seat* seat = helper(role);
        if (seat != nullptr && (target.kind == kind || target.kind == Kind::all)) {
            act(*seat, seat->slot.on_stop(now, ProcessSlot::After::start_again), out);
        }
    }
    if (rolling) {
        rolling_fault_.clear();
        rolling_ = Rolling{{numbers.begin(), numbers.end()}, std::nullopt, std::nullopt};
    } else {
        for (const std::uint32_t number : numbers) {
            Seat* seat = current(number);
            act(*seat, seat->slot.on_stop(now, ProcessSlot::After::start_again), out);
        }
    }
    settle(now, out);
    return {};
}

Result<void> Supervisor::scale(TimePoint now, std::uint32_t workers, SeatActions& out) {
    if (stop_deadline_) {
        return error(Errc::refused, "the supervisor is stopping");
    }
    if (workers < 1 || workers > workers_max) {
        return error(Errc::bad_message, "the number of workers is 1 to " + std::to_string(workers_max));
    }
    plan_.workers = workers;
    for (Seat& seat : seats_) {
        if (seat.number > workers && seat.role != SeatRole::outgoing) {
            act(seat, seat.slot.on_stop(now, ProcessSlot::After::vacate), out);
        }
    }
    for (std::uint32_t number = 1; number <= workers; ++number) {
        Seat* seat = current(number);
        if (seat == nullptr) {
            seat = &add(number, SeatRole::current);
            act(*seat, seat->slot.on_start(now), out);
        } else if (seat->slot.state() == SlotState::draining || seat->slot.state() == SlotState::stopping) {
            act(*seat, seat->slot.on_start(now), out);  // It was leaving; its number is wanted again.
        }
    }
    settle(now, out);
    return {};
}

void Supervisor::set_limits(const SupervisorPlan& plan) {
    plan_.worker_limits = plan.worker_limits;
    plan_.helper_limits = plan.helper_limits;
    plan_.restart = plan.restart;
    for (Seat& seat : seats_) {
        seat.slot.set_limits(is_worker(seat.role) ? plan.worker_limits : plan.helper_limits, plan.restart);
    }
}

void Supervisor::settle(TimePoint now, SeatActions& out) {
    remove_empty();
    if (stop_deadline_) {
        return;
    }
    advance_rolling(now, out);
    if (all_held()) {
        begin_stop(now, ExitCode::unavailable, out);
        return;
    }
    was_running_ = was_running_ || state() == SupervisorState::running;
}

void Supervisor::remove_empty() {
    std::erase_if(seats_, [&](const Seat& seat) {
        const bool wanted = !stop_deadline_ &&
                            (!is_worker(seat.role) || (seat.role == SeatRole::current && seat.number <= plan_.workers));
        return seat.slot.state() == SlotState::vacant && !wanted;
    });
}

bool Supervisor::all_held() const {
    const auto is_current = [](const Seat& seat) { return seat.role == SeatRole::current; };
    return std::any_of(seats_.begin(), seats_.end(), is_current) &&
           std::all_of(seats_.begin(), seats_.end(),
                       [&](const Seat& seat) { return !is_current(seat) || seat.slot.state() == SlotState::held; });
}

void Supervisor::advance_rolling(TimePoint now, SeatActions& out) {
    while (rolling_ && roll_one(now, out)) {
        remove_empty();
    }
}

// One step of the rolling restart; false: wait for an event.
bool Supervisor::roll_one(TimePoint now, SeatActions& out) {
    if (rolling_->leaving) {
        if (find(*rolling_->leaving) != nullptr) {
            return false;
        }
        rolling_->leaving.reset();
    }
    if (rolling_->successor) {
        Seat* successor = find_mutable(*rolling_->successor);
        if (successor == nullptr || successor->number > plan_.workers) {
            rolling_->successor.reset();  // Scaled away meanwhile.
            return true;
        }
        const SlotState state = successor->slot.state();
        if (state == SlotState::held ||
            (state != SlotState::serving && successor->slot.policy().crashes().size() >= successor_failures_max)) {
            // The old generation stays: a build that does not start must not replace one that serves.
            rolling_fault_ = "the new worker " + std::to_string(successor->number) + " did not become ready";
            act(*successor, successor->slot.on_stop(now, ProcessSlot::After::vacate), out);
            rolling_.reset();
            remove_empty();
            return false;
        }
        if (state != SlotState::serving) {
            return false;
        }
        rolling_->successor.reset();
        if (Seat* old = current(successor->number)) {
            successor->spawns += old->spawns;
            old->role = SeatRole::outgoing;
            act(*old, old->slot.on_stop(now, ProcessSlot::After::vacate), out);
            rolling_->leaving = old->id;
        }
        successor->role = SeatRole::current;
        return true;
    }
    if (rolling_->left.empty()) {
        rolling_.reset();
        return false;
    }
    const std::uint32_t number = rolling_->left.front();
    const auto same_number =
        std::count_if(seats_.begin(), seats_.end(), [&](const Seat& seat) { return seat.number == number; });
    if (same_number > 1) {
        return false;  // One that was scaled away is still leaving: never a third process of one number.
    }
    rolling_->left.pop_front();
    if (number <= plan_.workers && current(number) != nullptr) {
        Seat& successor = add(number, SeatRole::successor);
        rolling_->successor = successor.id;
        act(successor, successor.slot.on_start(now), out);
    }
    return true;
}

std::optional<TimePoint> Supervisor::deadline() const {
    std::optional<TimePoint> earliest = stop_deadline_;
    for (const Seat& seat : seats_) {
        if (const auto deadline = seat.slot.deadline(); deadline && (!earliest || *deadline < *earliest)) {
            earliest = deadline;
        }
    }
    return earliest;
}

SupervisorState Supervisor::state() const {
    if (stop_deadline_) {
        return SupervisorState::stopping;
    }
    bool all_serving = true;
    bool failing = false;
    for (const Seat& seat : seats_) {
        const SlotState state = seat.slot.state();
        const bool down = state == SlotState::held || state == SlotState::waiting;
        if (!is_worker(seat.role)) {
            // A bridge that cannot run here (no Node, no folder) is a warning: calls work without it. So they do
            // without the speech helper: by recorded prompts and keypad.
            failing = failing || (down && !seat.slot.held_for_good());
        } else if (seat.role == SeatRole::current && seat.number <= plan_.workers) {
            failing = failing || down || (state == SlotState::stopping);
            all_serving = all_serving && state == SlotState::serving;
        }
    }
    if (failing || (was_running_ && !all_serving)) {
        return SupervisorState::degraded;
    }
    return all_serving ? SupervisorState::running : SupervisorState::starting;
}

std::optional<ExitCode> Supervisor::finished(TimePoint now) const {
    if (!stop_deadline_) {
        return std::nullopt;
    }
    if (seats_.empty()) {
        return exit_code_;
    }
    return now >= *stop_deadline_ ? std::optional(ExitCode::failed) : std::nullopt;
}

}  // namespace agentlocator
