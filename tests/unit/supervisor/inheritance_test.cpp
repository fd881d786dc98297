#include "supervisor/inheritance.hpp"

#include <doctest/doctest.h>

#include "common/call_slab.hpp"

using namespace agentlocator;

namespace {

Inheritance sample() {
    Inheritance document;
    document.instance = "0123";
    document.upgrade = {UpgradeState::leaving, 3, "/opt/new/bin", "old", "new", "why \"not\""};
    document.lock = 4;
    document.listener = 5;
    document.activated = true;
    document.slab = 6;
    document.old_program = 7;
    document.old_worker = -1;
    document.generation = 2;
    document.sockets = {{0, 17, 9}, {call_slots_max - 1, 18, 10}};
    document.workers = 3;
    document.workers_configured = 2;
    document.mode = "ECHO";
    document.mode_until_ns = 123'456'789'012;
    return document;
}

}  // namespace

TEST_CASE("inheritance: what is written is read back") {
    Inheritance document = sample();
    auto read = parse_inheritance(encode_inheritance(document));
    REQUIRE(read.has_value());
    CHECK(*read == document);
    document.mode_until_ns.reset();
    document.sockets.clear();
    read = parse_inheritance(encode_inheritance(document));
    REQUIRE(read.has_value());
    CHECK(*read == document);
}

TEST_CASE("inheritance: a document with a gap is refused as a whole") {
    const std::string text = encode_inheritance(sample());
    for (std::size_t size = 0; size < text.size(); ++size) {
        CHECK_FALSE(parse_inheritance(std::string_view(text).substr(0, size)).has_value());
    }
    for (const char* key : {"\"instance\"", "\"lock\"", "\"slab\"", "\"sockets\"", "\"state\"", "\"fd\"", "\"mode\""}) {
        std::string without = text;
        without.replace(without.find(key) + 1, 1, "X");
        CAPTURE(key);
        CHECK_FALSE(parse_inheritance(without).has_value());
    }
}

TEST_CASE("inheritance: no slot beyond the last, no descriptor beyond an int, no other format") {
    const auto changed = [](const std::string& from, const std::string& to) {
        std::string text = encode_inheritance(sample());
        text.replace(text.find(from), from.size(), to);
        return parse_inheritance(text).has_value();
    };
    CHECK(changed("\"slot\":4095", "\"slot\":4094"));
    CHECK_FALSE(changed("\"slot\":4095", "\"slot\":4096"));
    CHECK_FALSE(changed("\"slab\":6", "\"slab\":99999999999"));
    CHECK_FALSE(changed("\"format\":1", "\"format\":2"));
    CHECK_FALSE(changed("\"leaving\"", "\"walking\""));
}
