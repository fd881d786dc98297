#include "worker/agent/circuit_breaker.hpp"

#include <algorithm>
#include <bit>

namespace agentlocator {

bool CircuitBreaker::try_acquire(TimePoint now) {
    switch (state(now)) {
        case State::closed:
            return true;
        case State::open:
            return false;
        case State::half_open:
            break;
    }
    if (probing_) {
        return false;
    }
    probing_ = true;
    return true;
}

CircuitBreaker::State CircuitBreaker::state(TimePoint now) const {
    if (!open_) {
        return State::closed;
    }
    return now < open_until_ ? State::open : State::half_open;
}

void CircuitBreaker::on_success() {
    if (open_) {
        open_ = false;
        outcomes_ = 0;
        known_ = 0;
    }
    probing_ = false;
    next_period_ = open_first;
    row_ = 0;
    note(false);
}

void CircuitBreaker::on_cancelled() {
    probing_ = false;
}

void CircuitBreaker::on_failure(const ProviderError& error, TimePoint now) {
    const ErrorPolicy policy = policy_of(error);
    if (!policy.counts) {
        // The service answered: it is there.
        on_cancelled();
        return;
    }
    note(true);
    ++row_;
    const bool probe_failed = open_ && probing_;
    probing_ = false;
    if (error.error_class == ProviderErrorClass::auth || error.error_class == ProviderErrorClass::quota) {
        open(open_for_operator, now);
    } else if (error.error_class == ProviderErrorClass::rate_limited && error.retry_after &&
               *error.retry_after >= retry_after_longest) {
        open(std::min(*error.retry_after, open_for_operator), now);
    } else if (const int failed = std::popcount(outcomes_);
               probe_failed || row_ >= row_max || (known_ >= window_min && failed * 2 >= known_)) {
        open(next_period_, now);
        next_period_ = std::min(next_period_ * 2, open_longest);
    }
}

void CircuitBreaker::open(Duration period, TimePoint now) {
    // Operations begun before it opened may still fail; they do not prolong it twice.
    open_until_ = open_ && now < open_until_ ? std::max(open_until_, now + period) : now + period;
    open_ = true;
    row_ = 0;
    outcomes_ = 0;
    known_ = 0;
}

void CircuitBreaker::note(bool failed) {
    outcomes_ = (outcomes_ << 1 | (failed ? 1U : 0U)) & ((1U << window) - 1);
    known_ = std::min(known_ + 1, window);
}

ErrorPolicy policy_of(const ProviderError& error) {
    using enum ProviderErrorClass;
    switch (error.error_class) {
        case cancelled:
            return {.retry_same = false, .next_provider = false, .counts = false, .alert = false};
        case timeout:
        case network:
        case server:
            return {.retry_same = true, .next_provider = true, .counts = true, .alert = false};
        case rate_limited:
            return {.retry_same = error.retry_after && *error.retry_after < retry_after_longest,
                    .next_provider = true,
                    .counts = true,
                    .alert = false};
        case quota:
        case auth:
            return {.retry_same = false, .next_provider = true, .counts = true, .alert = true};
        case bad_request:
            return {.retry_same = false, .next_provider = true, .counts = false, .alert = true};
        case content_filter:
            return {.retry_same = false, .next_provider = false, .counts = false, .alert = false};
        case lifetime:
            return {.retry_same = true, .next_provider = true, .counts = false, .alert = false};
        case protocol:
            return {.retry_same = true, .next_provider = true, .counts = true, .alert = true};
    }
    return {};
}

}  // namespace agentlocator
