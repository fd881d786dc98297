#pragma once
// The machine as the conversation sees it: clocks, zone, chance, log.
#include <ctime>
#include <functional>
#include <random>
#include <string_view>

#include "worker/agent/agent_services.hpp"

namespace agentlocator {

class SystemHost final : public AgentHost {
public:
    explicit SystemHost(std::function<void(std::string_view)> log) : log_(std::move(log)) {}
    [[nodiscard]] TimePoint now() const override { return Clock::now(); }
    [[nodiscard]] std::int64_t unix_ms() const override {
        return std::chrono::duration_cast<std::chrono::milliseconds>(
                   std::chrono::system_clock::now().time_since_epoch())
            .count();
    }
    [[nodiscard]] std::uint32_t random() override { return static_cast<std::uint32_t>(random_()); }
    [[nodiscard]] std::int64_t utc_offset_minutes(std::int64_t unix_ms) const override {
        const auto at = static_cast<std::time_t>(unix_ms / 1000);
        std::tm local{};
        return ::localtime_r(&at, &local) == nullptr ? 0 : local.tm_gmtoff / 60;
    }
    void line(std::string_view text) override {
        if (log_) {
            log_(text);
        }
    }

private:
    std::function<void(std::string_view)> log_;
    std::minstd_rand random_{std::random_device{}()};
};

}  // namespace agentlocator
