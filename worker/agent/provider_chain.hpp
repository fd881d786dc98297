#pragma once
// The providers of one stage in the order they are asked, each with its breaker, and one operation's way through them.
// Pure; the chain is shared by all calls of the thread, a walk belongs to one operation.
#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "worker/agent/circuit_breaker.hpp"

namespace agentlocator {

template <class Provider>
struct ChainLink {
    std::unique_ptr<Provider> provider;
    CircuitBreaker breaker;
    std::uint64_t started = 0;  // For the metrics.
    std::uint64_t failed = 0;
};

template <class Provider>
using ProviderChain = std::vector<ChainLink<Provider>>;

// first() -> a provider to ask -> succeeded(), failed() or cancelled(), once each. failed() names the next one.
template <class Provider>
class ChainWalk {
public:
    using Usable = std::function<bool(const Provider&)>;

    explicit ChainWalk(ProviderChain<Provider>& chain, Usable usable = {})
        : chain_(&chain), usable_(std::move(usable)) {}

    // Nothing: no provider may be asked now.
    [[nodiscard]] Provider* first(TimePoint now) { return advance(0, now); }

    // `delivered`: output went to the caller already, so that asking the same one again would repeat it.
    [[nodiscard]] Provider* failed(const ProviderError& error, bool delivered, TimePoint now) {
        ++link().failed;
        link().breaker.on_failure(error, now);
        asking_ = false;
        const ErrorPolicy policy = policy_of(error);
        if (policy.retry_same && !retried_ && !delivered && link().breaker.try_acquire(now)) {
            retried_ = true;
            return begin();
        }
        return policy.next_provider ? advance(at_ + 1, now) : nullptr;
    }
    // May come again and again of an operation that lasts (a session): each time it has earned another try.
    void succeeded() {
        if (asking_) {
            link().breaker.on_success();
            asking_ = false;
        }
        retried_ = false;
    }
    void cancelled() {
        if (asking_) {
            link().breaker.on_cancelled();
            asking_ = false;
        }
    }
    // The one that was asked last; nothing when there is none.
    [[nodiscard]] Provider* current() const { return at_ < chain_->size() ? link().provider.get() : nullptr; }
    [[nodiscard]] std::string_view name() const { return at_ < chain_->size() ? link().provider->name() : "none"; }

private:
    [[nodiscard]] ChainLink<Provider>& link() const { return (*chain_)[at_]; }
    Provider* begin() {
        ++link().started;
        asking_ = true;
        return link().provider.get();
    }
    Provider* advance(std::size_t from, TimePoint now) {
        retried_ = false;
        for (at_ = from; at_ < chain_->size(); ++at_) {
            if ((!usable_ || usable_(*link().provider)) && link().breaker.try_acquire(now)) {
                return begin();
            }
        }
        return nullptr;
    }

    ProviderChain<Provider>* chain_;
    Usable usable_;
    std::size_t at_ = 0;
    bool retried_ = false;
    bool asking_ = false;
};

}  // namespace agentlocator
