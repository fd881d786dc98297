#pragma once
// What other processes may see of this worker's services: their breakers and counters, copied into the slab now and
// then, because the chains themselves are memory of the agent thread. Pure.
#include "common/agent_metrics.hpp"
#include "worker/agent/agent_services.hpp"

namespace agentlocator {

class AgentGauges {
public:
    // Names the services in `entry`; what an earlier worker left there is gone. Chains do not change afterwards.
    AgentGauges(AgentEntry& entry, const AgentServices& services);

    void publish(TimePoint now);

private:
    AgentEntry& entry_;
    const AgentServices& services_;
};

}  // namespace agentlocator
