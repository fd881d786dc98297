#include "worker/agent/provider_registry.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;

namespace {

const std::vector<ChainCandidate> candidates = {
    {"embedded", true, ""}, {"deepgram", false, ""}, {"google", false, "GOOGLE_API_KEY"}, {"openai", false, ""}};

using Entries = std::vector<std::size_t>;

}  // namespace

TEST_CASE("registry: auto asks those with a key, in order, then the embedded ones") {
    const auto chosen = choose_chain("VOICE_STT_CHAIN", "auto", candidates);
    CHECK(chosen.entries == Entries{1, 3, 0});
    CHECK(chosen.notes.empty());
    CHECK(choose_chain("VOICE_STT_CHAIN", "", candidates).entries == Entries{1, 3, 0});
}

TEST_CASE("registry: a chain is asked in its own order, each once") {
    CHECK(choose_chain("VOICE_STT_CHAIN", "embedded,openai,embedded", candidates).entries == Entries{0, 3});
}

TEST_CASE("registry: a missing key and an unknown name are left out, with the remedy") {
    const auto chosen = choose_chain("VOICE_STT_CHAIN", "google,gogle,openai", candidates);
    CHECK(chosen.entries == Entries{3});
    REQUIRE(chosen.notes.size() == 2);
    CHECK(chosen.notes[0] == "VOICE_STT_CHAIN: google is left out: GOOGLE_API_KEY");
    CHECK(chosen.notes[1] == "VOICE_STT_CHAIN: gogle is not a provider; known: embedded, deepgram, google, openai");
}

TEST_CASE("registry: a build without any says so") {
    const auto chosen = choose_chain("VOICE_LLM_CHAIN", "openai", {});
    CHECK(chosen.entries.empty());
    CHECK(chosen.notes.at(0) == "VOICE_LLM_CHAIN: openai is not a provider; known: none in this build");
}
