#include "worker/agent/agent_gauges.hpp"

#include <algorithm>

namespace agentlocator {
namespace {

// Calls `visit(stage, link)` for every service, always in the same order.
template <class Visit>
void for_each_link(const AgentServices& services, const Visit& visit) {
    const auto each = [&](Stage stage, const auto& chain) {
        for (const auto& link : chain) {
            visit(stage, link);
        }
    };
    each(Stage::stt, services.stt);
    each(Stage::llm, services.llm);
    each(Stage::tts, services.tts);
    each(Stage::realtime, services.realtime);
}

}  // namespace

AgentGauges::AgentGauges(AgentEntry& entry, const AgentServices& services) : entry_(entry), services_(services) {
    entry_.providers.store(0, std::memory_order_release);
    std::uint32_t count = 0;
    for_each_link(services, [&](Stage stage, const auto& link) {
        if (count == AgentEntry::providers_max) {
            return;
        }
        ProviderEntry& provider = entry_.provider[count++];
        const std::string_view name = link.provider->name();
        provider.name = {};
        std::copy_n(name.begin(), std::min(name.size(), provider.name.size() - 1), provider.name.begin());
        provider.stage = stage;
        provider.breaker.store(0, std::memory_order_relaxed);
        provider.started.store(0, std::memory_order_relaxed);
        provider.failed.store(0, std::memory_order_relaxed);
    });
    entry_.providers.store(count, std::memory_order_release);
}

void AgentGauges::publish(TimePoint now) {
    std::uint32_t at = 0;
    for_each_link(services_, [&](Stage, const auto& link) {
        if (at == AgentEntry::providers_max) {
            return;
        }
        ProviderEntry& provider = entry_.provider[at++];
        provider.breaker.store(static_cast<std::uint8_t>(link.breaker.state(now)), std::memory_order_relaxed);
        provider.started.store(link.started, std::memory_order_relaxed);
        provider.failed.store(link.failed, std::memory_order_relaxed);
    });
}

}  // namespace agentlocator
