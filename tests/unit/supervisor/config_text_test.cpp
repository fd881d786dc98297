#include "supervisor/config_text.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

using namespace agentlocator;

namespace {

ParsedSettings parse(std::initializer_list<std::pair<const char*, const char*>> values) {
    SettingInputs inputs;
    for (const auto& [name, value] : values) {
        inputs[name] = {value, SettingSource::environment};
    }
    return parse_settings(inputs, {.cores = 2,
                                   .installation_root = "/opt/a",
                                   .home = "/home/leah",
                                   .xdg_runtime_dir = {},
                                   .xdg_state_home = {},
                                   .user_id = 1000});
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

}  // namespace

TEST_CASE("config_text: docs/operations.md holds the table as it is") {
    std::ifstream file(AGENTLOCATOR_SOURCE_DIR "/docs/operations.md");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    REQUIRE_FALSE(text.empty());
    // Differs? `agentlocator config --markdown` prints what belongs there.
    CHECK(contains(text, "compares -->\n" + settings_markdown() + "<!-- end of settings -->"));
}

TEST_CASE("config_text: one line a setting, secrets masked, control bytes replaced") {
    const ParsedSettings parsed = parse({{"TWILIO_AUTH_TOKEN", "hush"}, {"PORT", "8\x1b[2J"}});
    const std::string text = settings_text(parsed, {});
    const auto row = text.find("\nTWILIO_AUTH_TOKEN ");
    REQUIRE(row != std::string::npos);
    const auto value = text.find_first_not_of(' ', text.find(' ', row));  // The column's width is the longest name's.
    CHECK(text.compare(value, 8, "********") == 0);
    CHECK(contains(text, "environment\n"));
    CHECK(contains(text, "8?[2J"));
    CHECK_FALSE(contains(text, "hush"));
}

TEST_CASE("config_text: JSON holds rows, faults and warnings") {
    const auto document = nlohmann::json::parse(settings_json(parse({{"PORT", "\xff"}, {"PUBLIC_HOST", "x"}})));
    CHECK(document["settings"].size() == parse({}).view.size());
    CHECK(document["settings"][0]["name"] == "PUBLIC_BASE_URL");
    CHECK(document["settings"][0]["value"] == "https://x");
    CHECK(document["settings"][0]["source"] == "environment");
    REQUIRE(document["faults"].size() == 1);
    CHECK(document["faults"][0]["name"] == "PORT");
    CHECK(document["warnings"].size() == 1);
}
