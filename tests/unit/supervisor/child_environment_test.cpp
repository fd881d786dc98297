#include "supervisor/child_environment.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace agentlocator;

namespace {

const ChildIdentity worker{.is_worker = true, .slot = "2", .entry = 7, .serial = 9, .instance = "0123", .build = "b"};
const ChildIdentity bridge{
    .is_worker = false, .slot = "bridge", .entry = 0, .serial = 10, .instance = "0123", .build = "b"};

Settings settings() {
    return parse_settings({{"TWILIO_AUTH_TOKEN", {"token", SettingSource::file}}}, {}).settings;
}

std::vector<std::string> values(const std::vector<std::string>& environment, const std::string& name) {
    std::vector<std::string> found;
    for (const std::string& entry : environment) {
        if (entry.starts_with(name + "=")) {
            found.push_back(entry.substr(name.size() + 1));
        }
    }
    return found;
}

using Values = std::vector<std::string>;

}  // namespace

TEST_CASE("child_environment: what is meant for us alone is not handed on, the rest is") {
    const auto made = child_environment(
        {"PATH=/bin", "NOTIFY_SOCKET=/run/n", "WATCHDOG_PID=1", "WATCHDOG_USEC=5", "LISTEN_PID=1", "LISTEN_FDS=1",
         "LISTEN_FDNAMES=web", "AGENTLOCATOR_TAG=agentlocator/other", "AGENTLOCATOR_SPAWN=1", "AGENTLOCATOR_ROOT=/opt"},
        settings(), {"PROVIDER_KEY=k"}, worker);
    CHECK(values(made, "PATH") == Values{"/bin"});
    CHECK(values(made, "AGENTLOCATOR_ROOT") == Values{"/opt"});
    CHECK(values(made, "PROVIDER_KEY") == Values{"k"});
    CHECK(values(made, "NOTIFY_SOCKET").empty());
    CHECK(values(made, "WATCHDOG_PID").empty());
    CHECK(values(made, "LISTEN_PID").empty());
    CHECK(values(made, "LISTEN_FDS") == Values{"3"});
    CHECK(values(made, "LISTEN_FDNAMES") == Values{"http:control:slab"});
    CHECK(values(made, "AGENTLOCATOR_TAG") == Values{"agentlocator/0123"});
    CHECK(values(made, "AGENTLOCATOR_SPAWN") == Values{"9"});
    CHECK(values(made, "AGENTLOCATOR_WORKER") == Values{"7"});
    CHECK(values(made, "AGENTLOCATOR_SLOT") == Values{"2"});
}

TEST_CASE("child_environment: the validated value wins over what leaked in, and every child is handed a mode") {
    Settings given = settings();
    given.ws_mode = WsMode::ai;
    const auto made = child_environment({"WS_MODE=ECHO", "PORT=1"}, given, {}, worker);
    CHECK(values(made, "WS_MODE") == Values{"AI"});
    CHECK(values(made, "PORT") == Values{"5000"});
}

TEST_CASE("child_environment: the speech helper gets what it needs by name, and nobody's key") {
    const ChildIdentity speech{.is_worker = false,
                               .is_speech = true,
                               .slot = "speech",
                               .entry = 0,
                               .serial = 11,
                               .instance = "0123",
                               .build = "b"};
    const auto made = child_environment({"PATH=/bin", "OPENAI_API_KEY=x", "TWILIO_API_KEY=x", "SOME_TOKEN=x"},
                                        settings(), {"DEEPGRAM_API_KEY=y"}, speech);
    CHECK(values(made, "PATH") == Values{"/bin"});
    CHECK(values(made, "EMBEDDED_TTS_WPM") == Values{"150"});
    CHECK(values(made, "LISTEN_FDNAMES") == Values{"speech:heartbeat"});
    CHECK(values(made, "LISTEN_FDS") == Values{"2"});
    for (const std::string& entry : made) {
        CHECK(entry.find("KEY") == std::string::npos);
        CHECK(entry.find("TOKEN") == std::string::npos);
        CHECK_FALSE(entry.starts_with("TWILIO"));
    }
}

TEST_CASE("child_environment: a worker is told where the speech helper listens") {
    const auto made = child_environment({}, settings(), {}, worker);
    REQUIRE(values(made, "AGENTLOCATOR_SPEECH_SOCKET").size() == 1);
    CHECK(values(made, "AGENTLOCATOR_SPEECH_SOCKET").front().ends_with("/speech.sock"));
}

TEST_CASE("child_environment: the bridge gets no key of Twilio and no descriptors") {
    const auto made = child_environment({"TWILIO_API_KEY=x"}, settings(), {"TWILIO_OTHER=y", "BAILEYS_SECRET=z"}, bridge);
    CHECK(std::none_of(made.begin(), made.end(), [](const auto& entry) { return entry.starts_with("TWILIO_"); }));
    CHECK(values(made, "LISTEN_FDS").empty());
    CHECK(values(made, "AGENTLOCATOR_WORKER").empty());
    CHECK(values(made, "AGENTLOCATOR_SLOT") == Values{"bridge"});
    CHECK(values(made, "BAILEYS_SECRET").back() == "z");  // Its own door asks for it.
    CHECK(values(child_environment({}, settings(), {}, worker), "TWILIO_AUTH_TOKEN") == Values{"token"});
}
