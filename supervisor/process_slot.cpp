#include "supervisor/process_slot.hpp"

#include <algorithm>

#include "common/ensure.hpp"

namespace agentlocator {

std::string_view to_string(SlotState state) {
    switch (state) {
        case SlotState::vacant:
            return "vacant";
        case SlotState::starting:
            return "starting";
        case SlotState::serving:
            return "serving";
        case SlotState::draining:
            return "draining";
        case SlotState::waiting:
            return "waiting";
        case SlotState::held:
            return "held";
        case SlotState::stopping:
            return "stopping";
    }
    ensure_failed("SlotState has a name", __FILE__, __LINE__);
}

std::string_view to_string(SlotAction action) {
    switch (action) {
        case SlotAction::none:
            return "none";
        case SlotAction::spawn:
            return "spawn";
        case SlotAction::drain:
            return "drain";
        case SlotAction::terminate:
            return "terminate";
        case SlotAction::abort:
            return "abort";
        case SlotAction::kill:
            return "kill";
    }
    ensure_failed("SlotAction has a name", __FILE__, __LINE__);
}

bool ProcessSlot::has_process() const {
    switch (state_) {
        case SlotState::vacant:
        case SlotState::waiting:
        case SlotState::held:
            return false;
        case SlotState::starting:
        case SlotState::serving:
        case SlotState::draining:
        case SlotState::stopping:
            return true;
    }
    ensure_failed("SlotState is known", __FILE__, __LINE__);
}

void ProcessSlot::rest(SlotState state) {
    state_ = state;
    deadline_.reset();
}

SlotAction ProcessSlot::spawn(TimePoint now) {
    state_ = SlotState::starting;
    deadline_ = now + limits_.start;
    next_ = Next::crashed;
    served_ = Duration::zero();
    return SlotAction::spawn;
}

SlotAction ProcessSlot::stop_with(TimePoint now, Step step) {
    state_ = SlotState::stopping;
    step_ = step;
    switch (step) {
        case Step::term:
            deadline_ = now + limits_.term;
            return SlotAction::terminate;
        case Step::abort:
            deadline_ = now + limits_.abort;
            return SlotAction::abort;
        case Step::kill:
            deadline_ = now + limits_.kill_again;
            return SlotAction::kill;
    }
    ensure_failed("Step is known", __FILE__, __LINE__);
}

SlotAction ProcessSlot::crash(TimePoint now, Duration served, bool awaited, std::uint64_t random) {
    RestartVerdict verdict = policy_.on_crash(now, served, random);
    if (verdict.hold) {
        permanent_ = false;
        rest(SlotState::held);
        return SlotAction::none;
    }
    if (awaited) {
        verdict.delay = std::min(verdict.delay, policy_.first_delay(random));
    }
    if (verdict.delay == Duration::zero()) {
        return spawn(now);
    }
    state_ = SlotState::waiting;
    deadline_ = now + verdict.delay;
    return SlotAction::none;
}

SlotAction ProcessSlot::on_start(TimePoint now) {
    switch (state_) {
        case SlotState::waiting:
        case SlotState::held:
            policy_.forgive();
            return spawn(now);
        case SlotState::vacant:
            return spawn(now);
        case SlotState::draining:
        case SlotState::stopping:
            next_ = Next::start_again;
            return SlotAction::none;
        case SlotState::starting:
        case SlotState::serving:
            return SlotAction::none;
    }
    ensure_failed("SlotState is known", __FILE__, __LINE__);
}

void ProcessSlot::on_adopted(TimePoint now, const RestartPolicy& past, bool leaving) {
    ENSURE(state_ == SlotState::vacant);
    policy_ = past;
    ready_at_ = now;
    if (leaving) {
        next_ = Next::vacate;
        state_ = SlotState::draining;
        deadline_ = now + limits_.drain;
    } else {
        next_ = Next::crashed;
        rest(SlotState::serving);
    }
}

SlotAction ProcessSlot::on_spawn_failed(TimePoint now, std::uint64_t random) {
    if (state_ != SlotState::starting) {
        return SlotAction::none;
    }
    state_ = SlotState::waiting;
    deadline_ = now + policy_.on_spawn_failed(random);
    return SlotAction::none;
}

SlotAction ProcessSlot::on_ready(TimePoint now) {
    if (state_ == SlotState::starting) {
        rest(SlotState::serving);
        ready_at_ = now;
    }
    return SlotAction::none;
}

SlotAction ProcessSlot::on_exited(TimePoint now, ExitKind kind, std::uint64_t random) {
    if (!has_process()) {
        return SlotAction::none;
    }
    const bool was_serving = state_ == SlotState::serving;
    const bool was_asked = state_ == SlotState::draining || state_ == SlotState::stopping;
    if (was_asked && next_ == Next::vacate) {
        rest(SlotState::vacant);
        return SlotAction::none;
    }
    if (was_asked && next_ == Next::start_again) {
        return spawn(now);
    }
    if (kind == ExitKind::permanent) {
        permanent_ = true;
        rest(SlotState::held);
        return SlotAction::none;
    }
    if (kind == ExitKind::of_a_call) {
        state_ = SlotState::waiting;
        deadline_ = now + policy_.first_delay(random);
        return SlotAction::none;
    }
    // A child that never became ready would wait for nobody: it backs off as ever.
    const Duration served = was_serving ? now - ready_at_ : served_;
    return crash(now, served, kind == ExitKind::awaited && served > Duration::zero(), random);
}

SlotAction ProcessSlot::on_hang(TimePoint now) {
    if (state_ == SlotState::serving) {
        next_ = Next::crashed;
        served_ = now - ready_at_;
        return stop_with(now, Step::abort);
    }
    if (state_ == SlotState::draining) {
        return stop_with(now, Step::abort);
    }
    return SlotAction::none;
}

SlotAction ProcessSlot::on_deadline(TimePoint now) {
    if (!deadline_ || now < *deadline_) {
        return SlotAction::none;
    }
    switch (state_) {
        case SlotState::starting:
            return stop_with(now, Step::abort);
        case SlotState::draining:
            return stop_with(now, Step::term);
        case SlotState::stopping:
            return stop_with(now, Step::kill);
        case SlotState::waiting:
            return spawn(now);
        case SlotState::vacant:
        case SlotState::serving:
        case SlotState::held:
            break;
    }
    ensure_failed("a slot at rest has no deadline", __FILE__, __LINE__);
}

SlotAction ProcessSlot::on_stop(TimePoint now, After after) {
    const bool again = after == After::start_again;
    switch (state_) {
        case SlotState::vacant:
            return again ? spawn(now) : SlotAction::none;
        case SlotState::waiting:
        case SlotState::held:
            policy_.forgive();
            if (again) {
                return spawn(now);
            }
            rest(SlotState::vacant);
            return SlotAction::none;
        case SlotState::starting:
            next_ = again ? Next::start_again : Next::vacate;
            return stop_with(now, Step::term);  // It carries no call yet: nothing to drain.
        case SlotState::serving:
            next_ = again ? Next::start_again : Next::vacate;
            if (limits_.drain == Duration::zero()) {
                return stop_with(now, Step::term);
            }
            state_ = SlotState::draining;
            deadline_ = now + limits_.drain;
            return SlotAction::drain;
        case SlotState::draining:
        case SlotState::stopping:
            // Leaving wins over a restart in progress; a restart never revives what was told to leave (on_start does).
            if (!again || next_ == Next::crashed) {
                next_ = again ? Next::start_again : Next::vacate;
            }
            return SlotAction::none;
    }
    ensure_failed("SlotState is known", __FILE__, __LINE__);
}

SlotAction ProcessSlot::on_hurry(TimePoint now) {
    if (state_ == SlotState::draining) {
        return stop_with(now, Step::term);
    }
    if (state_ == SlotState::stopping && step_ != Step::kill) {
        return stop_with(now, Step::kill);
    }
    return SlotAction::none;
}

void ProcessSlot::set_limits(SlotLimits limits, RestartLimits restart) {
    limits_ = limits;
    policy_.set_limits(restart);
}

}  // namespace agentlocator
