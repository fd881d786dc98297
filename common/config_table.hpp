#pragma once
// The table of settings: one row each, from which reading, writing, listing and documenting follow. Internal to
// config.cpp, which decides between sources and reports.
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config.hpp"
#include "common/setting_value.hpp"

namespace agentlocator {

// `valid` and `help` end in `agentlocator config` and in docs/operations.md.
struct SettingRow {
    std::string_view name;
    std::string_view help;
    std::string valid;
    std::function<std::string(const SettingFacts&)> fallback;
    std::function<SettingProblem(std::string_view, const SettingFacts&, Settings&)> read;
    std::function<std::string(const Settings&)> write;
    bool secret = false;
};

[[nodiscard]] const std::vector<SettingRow>& setting_table();

// The parts of it in agent_table.cpp, payment_table.cpp, provider_table.cpp and speech_table.cpp.
void add_agent_rows(std::vector<SettingRow>& rows);
void add_payment_rows(std::vector<SettingRow>& rows);
void add_provider_rows(std::vector<SettingRow>& rows);
void add_embedded_rows(std::vector<SettingRow>& rows);

}  // namespace agentlocator
