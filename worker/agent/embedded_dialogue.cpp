#include "worker/agent/dialogue_script.hpp"

extern "C" const char agentlocator_dialogue[];
extern "C" const char agentlocator_dialogue_end[];

namespace agentlocator {

std::string_view embedded_dialogue() {
    return {agentlocator_dialogue, static_cast<std::size_t>(agentlocator_dialogue_end - agentlocator_dialogue)};
}

}  // namespace agentlocator
