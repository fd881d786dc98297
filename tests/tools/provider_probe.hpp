#pragma once
// Parts of the provider probe (provider_probe.cpp) that have a file of their own.
#include <nlohmann/json.hpp>

#include "common/io/event_loop.hpp"
#include "worker/providers/factory.hpp"

namespace probe {

void print(const nlohmann::json& line);
[[nodiscard]] nlohmann::json describe(const agentlocator::ProviderError& error);
[[nodiscard]] std::string read_file(const std::string& path);
[[nodiscard]] std::vector<std::uint8_t> bytes_of(const std::string& text);

// Realtime sessions and Twilio's REST API. False: not one of these.
[[nodiscard]] bool perform_more(agentlocator::EventLoop& loop, agentlocator::NetworkProviders& providers,
                                const nlohmann::json& request);

}  // namespace probe
