#include "worker/line_budget.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;

namespace {

std::uint32_t written(LineBudget& budget, TimePoint now, std::uint32_t lines) {
    std::uint32_t count = 0;
    for (std::uint32_t i = 0; i < lines; ++i) {
        count += budget.spend(now) ? 1U : 0U;
    }
    return count;
}

}  // namespace

TEST_CASE("line budget: a burst is written whole, one past it is not") {
    LineBudget budget;
    const TimePoint now{std::chrono::hours(1)};
    CHECK(written(budget, now, LineBudget::burst_max) == LineBudget::burst_max);
    CHECK_FALSE(budget.spend(now));
}

TEST_CASE("line budget: a flood gets one line an interval, and what was swallowed is told once") {
    LineBudget budget;
    TimePoint now{std::chrono::hours(1)};
    CHECK(written(budget, now, LineBudget::burst_max + 1000) == LineBudget::burst_max);
    now += LineBudget::line_every;
    CHECK(budget.spend(now) == 1000);
    CHECK_FALSE(budget.spend(now));
    now += LineBudget::line_every;
    CHECK(budget.spend(now) == 1);
    now += std::chrono::hours(1);
    CHECK(written(budget, now, 1000) == LineBudget::burst_max);
}
