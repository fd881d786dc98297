#include "common/config.hpp"

#include <algorithm>

#include "common/config_table.hpp"
#include "common/log_line.hpp"
#include "common/text.hpp"

namespace agentlocator {
namespace {

constexpr std::string_view masked = "********";

// A name of the original system that still works. The value is translated into the present one.
struct OldName {
    std::string_view name;
    std::string_view present;
    std::string (*translate)(std::string_view value);
};

const OldName old_names[] = {
    {"PUBLIC_HOST", "PUBLIC_BASE_URL",
     [](std::string_view value) {  // Was a URL or a bare host, which made URLs without a scheme.
         return (value.find("://") == std::string_view::npos ? "https://" : "") + std::string(value);
     }},
    {"MAX_ACTIVE_CALLS", "MAX_CONCURRENT_CALLS", [](std::string_view value) { return std::string(value); }},
    {"PAYPAL_SECRET", "PAYPAL_CLIENT_SECRET", [](std::string_view value) { return std::string(value); }},
    {"SPEECH_KEY", "AZURE_SPEECH_KEY", [](std::string_view value) { return std::string(value); }},
    {"SPEECH_REGION", "AZURE_SPEECH_REGION", [](std::string_view value) { return std::string(value); }},
    {"WA_BAILEYS_PORT", "BAILEYS_PORT", [](std::string_view value) { return std::string(value); }},
    {"SKIP_BAILEYS", "ENABLE_WA_BAILEYS",
     [](std::string_view value) {
         bool skip = false;
         return read_boolean(value, skip) ? std::string(value) : std::string(skip ? "false" : "true");
     }},
};

// Switches of the original system that do nothing here, and what to use instead.
struct Ignored {
    std::string_view name;
    std::string_view value;  // Only this value meant something.
    std::string_view remedy;
};

constexpr Ignored ignored_names[] = {
    {"FLASK_ENV", "development", "signatures stay checked; for development set VALIDATE_TWILIO_SIGNATURE=false"},
    {"ECHO_TEST", "1", "set WS_MODE=ECHO, or run `agentlocator mode ECHO --for 10m`"},
};

std::string shown(const SettingRow& row, std::string_view value) {
    constexpr std::size_t shown_bytes_max = 120;  // Enough to recognise the value; a fault stays one line.
    if (value.empty()) {
        return {};
    }
    if (row.secret) {
        return std::string(masked);
    }
    const bool cut = value.size() > shown_bytes_max;
    return log_value(value.substr(0, shown_bytes_max)) + (cut ? "..." : "");
}

// The value that counts for a row, and the name it came by.
struct Candidate {
    std::string value;
    SettingSource source = SettingSource::fallback;
    std::string_view old_name;  // Empty: by its present name.
};

const SettingInput* find_set(const SettingInputs& inputs, std::string_view name) {
    const auto found = inputs.find(name);
    // A variable that is present and empty means "not set": platforms and compose files cannot leave one out.
    return found == inputs.end() || trim(found->second.value).empty() ? nullptr : &found->second;
}

Candidate choose(const SettingRow& row, const SettingInputs& inputs, const SettingFacts& facts,
                 std::vector<std::string>& warnings) {
    Candidate chosen{row.fallback(facts), SettingSource::fallback, {}};
    const SettingInput* present = find_set(inputs, row.name);
    if (present != nullptr) {
        chosen = {std::string(trim(present->value)), present->source, {}};
    }
    for (const OldName& old : old_names) {
        const SettingInput* input = old.present == row.name ? find_set(inputs, old.name) : nullptr;
        if (input == nullptr) {
            continue;
        }
        const std::string where = std::string(old.name) + " (" + std::string(to_string(input->source)) + ")";
        if (present != nullptr) {
            warnings.push_back(where + " is ignored because " + std::string(row.name) + " is set; delete it");
        } else {
            chosen = {old.translate(trim(input->value)), input->source, old.name};
            warnings.push_back(where + " is an old name; set " + std::string(row.name) + "=" +
                               shown(row, chosen.value) + " instead");
        }
    }
    return chosen;
}

std::string fault_text(const SettingRow& row, const Candidate& candidate, std::string_view problem) {
    std::string text = std::string(row.name) + "=" + shown(row, candidate.value) + " (";
    text += to_string(candidate.source);
    if (!candidate.old_name.empty()) {
        text += ", from " + std::string(candidate.old_name);
    }
    return text + "): " + std::string(problem) + "; valid: " + row.valid;
}

bool is_known(std::string_view name) {
    const auto& names = setting_names();
    return std::find(names.begin(), names.end(), name) != names.end();
}

// A settings file is ours, so a name in it that almost is one of ours was mistyped. The environment is everybody's.
void warn_of_typing_errors(const SettingInputs& inputs, std::vector<std::string>& warnings) {
    for (const auto& [name, input] : inputs) {
        if (input.source == SettingSource::environment || is_known(name)) {
            continue;
        }
        for (const SettingRow& row : setting_table()) {
            const std::size_t distance_max = row.name.size() < 6 ? 1 : 2;
            if (edit_distance(name, row.name) <= distance_max) {
                warnings.push_back(name + " (" + std::string(to_string(input.source)) +
                                   ") is not a setting; did you mean " + std::string(row.name) + "?");
                break;
            }
        }
    }
}

void check_together(const Settings& settings, const SettingInputs& inputs, ParsedSettings& out) {
    if (settings.bridge_enabled && settings.port == settings.bridge_port) {
        out.faults.push_back({"BAILEYS_PORT", "BAILEYS_PORT=" + std::to_string(settings.bridge_port) +
                                                  ": the call server's PORT is the same; valid: any other port"});
    }
    for (const Ignored& ignored : ignored_names) {
        const SettingInput* input = find_set(inputs, ignored.name);
        if (input != nullptr && equal_no_case(trim(input->value), ignored.value)) {
            out.warnings.push_back(std::string(ignored.name) + "=" + std::string(ignored.value) + " (" +
                                   std::string(to_string(input->source)) +
                                   ") does nothing: " + std::string(ignored.remedy));
        }
    }
    const std::string_view base_url = settings.public_base_url;
    const bool local = base_url.starts_with("http://127.") || base_url.starts_with("http://localhost") ||
                       base_url.starts_with("http://[::1]");
    if (base_url.starts_with("http://") && !local) {
        out.warnings.push_back(
            "PUBLIC_BASE_URL begins with http://: Twilio connects streams by wss only; use https://");
    }
    if (!settings.twilio_auth_token_old.empty() && settings.twilio_auth_token.empty()) {
        out.warnings.push_back(
            "TWILIO_AUTH_TOKEN_SECONDARY is set without TWILIO_AUTH_TOKEN: signatures are not checked; set both");
    }
    if (!settings.twilio_auth_token.empty() && !settings.validate_twilio_signature) {
        out.warnings.push_back(
            "VALIDATE_TWILIO_SIGNATURE=false: anybody can send webhooks; use it in development only");
    }
}

}  // namespace

std::string_view to_string(SettingSource source) {
    switch (source) {
        case SettingSource::fallback:
            return "default";
        case SettingSource::file:
            return "file";
        case SettingSource::environment:
            return "environment";
        case SettingSource::flag:
            return "flag";
    }
    return "unknown";
}

ParsedSettings parse_settings(const SettingInputs& inputs, const SettingFacts& facts) {
    ParsedSettings out;
    for (const SettingRow& row : setting_table()) {
        const Candidate candidate = choose(row, inputs, facts, out.warnings);
        SettingProblem problem;
        if (candidate.value.size() > setting_bytes_max) {
            problem = "longer than " + std::to_string(setting_bytes_max) + " bytes";
        } else {
            problem = row.read(candidate.value, facts, out.settings);
        }
        if (problem) {
            out.faults.push_back({std::string(row.name), fault_text(row, candidate, *problem)});
        }
        const std::string value = problem ? candidate.value : row.write(out.settings);
        out.view.push_back({row.name, row.secret && !value.empty() ? std::string(masked) : value, candidate.source,
                            row.help, row.valid});
    }
    check_together(out.settings, inputs, out);
    warn_of_typing_errors(inputs, out.warnings);
    return out;
}

std::vector<std::string> to_environment(const Settings& settings) {
    std::vector<std::string> environment;
    for (const SettingRow& row : setting_table()) {
        environment.push_back(std::string(row.name) + "=" + row.write(settings));
    }
    return environment;
}

const std::vector<std::string_view>& setting_names() {
    static const std::vector<std::string_view> names = [] {
        std::vector<std::string_view> all;
        for (const SettingRow& row : setting_table()) {
            all.push_back(row.name);
        }
        for (const OldName& old : old_names) {
            all.push_back(old.name);
        }
        for (const Ignored& ignored : ignored_names) {
            all.push_back(ignored.name);
        }
        return all;
    }();
    return names;
}

const std::vector<std::string_view>& secret_setting_names() {
    static const std::vector<std::string_view> names = [] {
        std::vector<std::string_view> all;
        for (const SettingRow& row : setting_table()) {
            if (row.secret) {
                all.push_back(row.name);
            }
        }
        return all;
    }();
    return names;
}

}  // namespace agentlocator
