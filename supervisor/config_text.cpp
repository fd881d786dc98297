#include "supervisor/config_text.hpp"

#include <nlohmann/json.hpp>

namespace agentlocator {

std::string settings_text(const ParsedSettings& parsed, const TextStyle& style) {
    std::vector<std::vector<std::string>> rows;
    for (const SettingView& row : parsed.view) {
        const std::string value = harmless(row.value);
        rows.push_back({std::string(row.name), value.empty() ? "-" : value, std::string(to_string(row.source))});
    }
    std::string text;
    for (const std::string& line : render_table({{"SETTING"}, {"VALUE"}, {"SOURCE", 1}}, rows, style.width)) {
        text += line + "\n";
    }
    return text;
}

std::string settings_json(const ParsedSettings& parsed) {
    nlohmann::json settings = nlohmann::json::array();
    for (const SettingView& row : parsed.view) {
        settings.push_back({{"name", row.name},
                            {"value", row.value},
                            {"source", to_string(row.source)},
                            {"valid", row.valid},
                            {"help", row.help}});
    }
    nlohmann::json faults = nlohmann::json::array();
    for (const SettingFault& fault : parsed.faults) {
        faults.push_back({{"name", fault.name}, {"detail", fault.detail}});
    }
    const nlohmann::json document{{"settings", settings}, {"faults", faults}, {"warnings", parsed.warnings}};
    return document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string settings_markdown() {
    SettingFacts facts;
    facts.cores = 2;
    facts.installation_root = "/opt/agentlocator";
    facts.home = "/home/leah";
    facts.user_id = 1000;
    std::string text = "| setting | default | valid | meaning |\n|---|---|---|---|\n";
    for (const SettingView& row : parse_settings({}, facts).view) {
        const std::string value = row.value.empty() ? "" : "`" + row.value + "`";
        text += "| `" + std::string(row.name) + "` | " + value + " | " + std::string(row.valid) + " | " +
                std::string(row.help) + " |\n";
    }
    return text;
}

}  // namespace agentlocator
