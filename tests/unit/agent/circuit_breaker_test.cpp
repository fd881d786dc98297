#include "worker/agent/circuit_breaker.hpp"

#include <doctest/doctest.h>

#include "worker/agent/provider_chain.hpp"

using namespace agentlocator;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint start{1h};

ProviderError failure(ProviderErrorClass error_class, std::optional<Duration> retry_after = {}) {
    ProviderError error;
    error.error_class = error_class;
    error.retry_after = retry_after;
    return error;
}
const ProviderError server = failure(ProviderErrorClass::server);

class NamedLlm final : public LlmProvider {
public:
    explicit NamedLlm(std::string name) : name_(std::move(name)) {}
    [[nodiscard]] std::string_view name() const override { return name_; }
    [[nodiscard]] OperationPtr start(const LlmRequest&, LlmListener) override { return nullptr; }

private:
    std::string name_;
};

ProviderChain<LlmProvider> chain_of(std::initializer_list<const char*> names) {
    ProviderChain<LlmProvider> chain;
    for (const char* name : names) {
        chain.emplace_back();
        chain.back().provider = std::make_unique<NamedLlm>(name);
    }
    return chain;
}

std::string name_of(LlmProvider* provider) {
    return provider == nullptr ? "none" : std::string(provider->name());
}

}  // namespace

TEST_CASE("breaker: two failures in a row stay closed, the third opens for 15 s, then one probe") {
    CircuitBreaker breaker;
    for (int i = 0; i < CircuitBreaker::row_max - 1; ++i) {
        breaker.on_failure(server, start);
    }
    CHECK(breaker.try_acquire(start));
    breaker.on_failure(server, start);
    CHECK_FALSE(breaker.try_acquire(start));
    CHECK_FALSE(breaker.try_acquire(start + 15s - 1ns));
    CHECK(breaker.try_acquire(start + 15s));
    CHECK_FALSE(breaker.try_acquire(start + 15s));  // One probe at a time.
    breaker.on_success();
    CHECK(breaker.state(start + 15s) == CircuitBreaker::State::closed);
}

TEST_CASE("breaker: each failed probe doubles the wait, up to 300 s; a success forgets it") {
    CircuitBreaker breaker;
    TimePoint now = start;
    for (int i = 0; i < 3; ++i) {
        breaker.on_failure(server, now);
    }
    for (const Duration wait : {Duration(15s), Duration(30s), Duration(60s), Duration(120s), Duration(240s),
                                Duration(300s), Duration(300s)}) {
        CHECK(breaker.open_until() - now == wait);
        now = breaker.open_until();
        REQUIRE(breaker.try_acquire(now));
        breaker.on_failure(server, now);
    }
    now = breaker.open_until();
    REQUIRE(breaker.try_acquire(now));
    breaker.on_success();
    for (int i = 0; i < 3; ++i) {
        breaker.on_failure(server, now);
    }
    CHECK(breaker.open_until() - now == 15s);
}

TEST_CASE("breaker: half of the last outcomes failed opens it, from five on") {
    CircuitBreaker breaker;
    breaker.on_success();
    breaker.on_failure(server, start);
    breaker.on_failure(server, start);
    breaker.on_success();
    CHECK(breaker.try_acquire(start));
    breaker.on_failure(server, start);
    CHECK_FALSE(breaker.try_acquire(start));
}

TEST_CASE("breaker: a key or a bill opens it for ten minutes at once") {
    for (const auto kind : {ProviderErrorClass::auth, ProviderErrorClass::quota}) {
        CircuitBreaker breaker;
        breaker.on_failure(failure(kind), start);
        CHECK_FALSE(breaker.try_acquire(start + 10min - 1ns));
        CHECK(breaker.try_acquire(start + 10min));
    }
}

TEST_CASE("breaker: Retry-After is obeyed from 400 ms on, at most ten minutes") {
    CircuitBreaker short_wait;
    short_wait.on_failure(failure(ProviderErrorClass::rate_limited, 399ms), start);
    CHECK(short_wait.try_acquire(start));
    CircuitBreaker wait;
    wait.on_failure(failure(ProviderErrorClass::rate_limited, 400ms), start);
    CHECK_FALSE(wait.try_acquire(start));
    CHECK(wait.try_acquire(start + 400ms));
    CircuitBreaker absurd;
    absurd.on_failure(failure(ProviderErrorClass::rate_limited, std::chrono::hours(24)), start);
    CHECK(absurd.try_acquire(start + 10min));
}

TEST_CASE("breaker: what says nothing about the service does not count") {
    using enum ProviderErrorClass;
    for (const auto kind : {cancelled, bad_request, content_filter, lifetime}) {
        CircuitBreaker breaker;
        for (int i = 0; i < 50; ++i) {
            breaker.on_failure(failure(kind), start);
        }
        CHECK(breaker.try_acquire(start));
    }
}

TEST_CASE("breaker: a cancelled probe makes room for the next") {
    CircuitBreaker breaker;
    for (int i = 0; i < 3; ++i) {
        breaker.on_failure(server, start);
    }
    REQUIRE(breaker.try_acquire(start + 15s));
    breaker.on_cancelled();
    CHECK(breaker.try_acquire(start + 15s));
}

TEST_CASE("chain: the same provider once more, then the next, then nobody") {
    auto chain = chain_of({"a", "b"});
    ChainWalk<LlmProvider> walk(chain);
    CHECK(name_of(walk.first(start)) == "a");
    CHECK(name_of(walk.failed(server, false, start)) == "a");
    CHECK(name_of(walk.failed(server, false, start)) == "b");
    CHECK(name_of(walk.failed(server, false, start)) == "b");
    CHECK(name_of(walk.failed(server, false, start)) == "none");
    CHECK(chain[0].failed == 2);
    CHECK(chain[1].started == 2);
}

TEST_CASE("chain: what was delivered is not asked of the same one again") {
    auto chain = chain_of({"a", "b"});
    ChainWalk<LlmProvider> walk(chain);
    (void)walk.first(start);
    CHECK(name_of(walk.failed(server, true, start)) == "b");
}

TEST_CASE("chain: a refused key goes to the next at once and stays away") {
    auto chain = chain_of({"a", "b"});
    ChainWalk<LlmProvider> walk(chain);
    (void)walk.first(start);
    CHECK(name_of(walk.failed(failure(ProviderErrorClass::auth), false, start)) == "b");
    walk.succeeded();
    ChainWalk<LlmProvider> later(chain);
    CHECK(name_of(later.first(start + 1min)) == "b");
}

TEST_CASE("chain: a refused content is nobody's to answer") {
    auto chain = chain_of({"a", "b"});
    ChainWalk<LlmProvider> walk(chain);
    (void)walk.first(start);
    CHECK(walk.failed(failure(ProviderErrorClass::content_filter), false, start) == nullptr);
}

TEST_CASE("chain: only those who can are asked") {
    auto chain = chain_of({"a", "b"});
    ChainWalk<LlmProvider> walk(chain, [](const LlmProvider& provider) { return provider.name() == "b"; });
    CHECK(name_of(walk.first(start)) == "b");
}
