#include "worker/agent/agent_services.hpp"

#include "common/log_line.hpp"

namespace agentlocator {

std::string FaultLines::line(const ProviderError& error, TimePoint now) {
    const std::string key = error.provider + "/" + error.operation + "/" + std::string(to_string(error.error_class));
    const auto [told, is_new] = told_.try_emplace(key, Told{now});
    if (!is_new && now - told->second.at < repeat_after) {
        ++told->second.held_back;
        return {};
    }
    const std::uint64_t more = told->second.held_back;
    told->second = {now};
    std::string text = log_line("provider_failed", {{"provider", error.provider},
                                                    {"operation", error.operation},
                                                    {"class", to_string(error.error_class)},
                                                    {"cause", error.message}});
    if (error.http_status != 0) {
        text += " status=" + std::to_string(error.http_status);
    }
    if (!error.remedy.empty()) {
        text += " remedy=" + log_value(error.remedy);
    }
    if (!error.request_id.empty()) {
        text += " request=" + log_value(error.request_id);
    }
    if (more > 0) {
        text += " also=" + std::to_string(more);
    }
    return text;
}

}  // namespace agentlocator
