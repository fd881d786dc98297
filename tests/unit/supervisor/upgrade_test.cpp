#include "supervisor/upgrade.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;
using Action = UpgradeAction;
using State = UpgradeState;

namespace {

Upgrade fresh() {
    return {"old", {"slab", "memory", 1}};
}

Result<BuildFacts> good() {
    return BuildFacts{"1", "new", {"slab", "memory", 1}};
}

// As it goes: the record is what one process leaves to the next.
UpgradeRecord after_leaving() {
    Upgrade before = fresh();
    const auto begun = before.on_request("/new", 4);
    REQUIRE(begun.has_value());
    CHECK(*begun == Action::check);
    CHECK(before.on_checked(good()) == Action::leave);
    return before.record();
}

}  // namespace

TEST_CASE("upgrade: checked, left, rolled, done") {
    const UpgradeRecord left = after_leaving();
    CHECK(left.state == State::leaving);
    CHECK(left.number == 4);
    CHECK(left.from_build == "old");
    CHECK(left.to_build == "new");
    Upgrade after("new", {"slab", "memory", 1});
    after.resume(left);
    CHECK(after.is_rolling());
    CHECK(after.on_rolled("") == Action::none);
    CHECK(after.record().state == State::done);
    CHECK(after.record().failure.empty());
}

TEST_CASE("upgrade: a worker that does not become ready brings the old build back, with the reason") {
    Upgrade after("new", {"slab", "memory", 1});
    after.resume(after_leaving());
    CHECK(after.on_rolled("worker 1 is broken") == Action::turn_back);
    CHECK(after.record().state == State::returning);
    Upgrade old = fresh();
    old.resume(after.record());
    CHECK(old.record().state == State::returned);
    CHECK(old.record().failure == "worker 1 is broken");
    CHECK_FALSE(old.under_way());
    CHECK(old.on_rolled("the old workers, too") == Action::none);  // No way back from the way back.
}

TEST_CASE("upgrade: a program that cannot be used changes nothing") {
    for (const Result<BuildFacts>& facts : {Result<BuildFacts>(error(Errc::io, "no such file")),
                                            Result<BuildFacts>(BuildFacts{"1", "new", {"other", "memory", 1}})}) {
        Upgrade upgrade = fresh();
        CHECK(upgrade.on_request("/new", 1).has_value());
        CHECK(upgrade.on_checked(facts) == Action::none);
        CHECK(upgrade.record().state == State::failed);
        CHECK_FALSE(upgrade.record().failure.empty());
        CHECK(upgrade.on_request("/new", 2).has_value());  // Try again.
        CHECK(upgrade.record().failure.empty());
    }
}

TEST_CASE("upgrade: calls go to another layout of their memory, if both builds speak of them in one format") {
    const auto outcome = [](BuildLayout other) {
        Upgrade upgrade = fresh();
        CHECK(upgrade.on_request("/new", 1).has_value());
        const bool left = upgrade.on_checked(BuildFacts{"1", "new", std::move(other)}) == Action::leave;
        return left ? "left" : upgrade.record().failure;
    };
    CHECK(outcome({"slab", "other", 1}) == "left");
    CHECK(outcome({"slab", "memory", 2}) == "left");  // Nothing has to be written.
    CHECK(outcome({"slab", "other", 2}) ==
          "build new lays out the memory of live calls in another way, and takes them over in snapshot format 2, this "
          "one hands them over in format 1: stop and start instead, when no call is live");
    CHECK(outcome({"slab", "", 0}).find("format 0") != std::string::npos);  // It does not say.
    CHECK(outcome({"other", "memory", 1}).find("shared part of the call slab") != std::string::npos);
}

TEST_CASE("upgrade: one at a time, and late answers count for nothing") {
    Upgrade upgrade = fresh();
    CHECK(upgrade.on_checked(good()) == Action::none);
    CHECK(upgrade.on_rolled("") == Action::none);
    CHECK(upgrade.record().state == State::idle);
    CHECK(upgrade.on_request("/new", 1).has_value());
    CHECK_FALSE(upgrade.on_request("/new", 2).has_value());
    CHECK(upgrade.on_checked(good()) == Action::leave);
    CHECK_FALSE(upgrade.on_request("/new", 2).has_value());
    CHECK(upgrade.on_checked(good()) == Action::none);
    upgrade.on_leave_failed("exec failed");
    CHECK(upgrade.record().state == State::failed);
    CHECK(upgrade.record().failure == "exec failed");
}

TEST_CASE("upgrade: every state has a name that is read back") {
    for (const State state : {State::idle, State::checking, State::leaving, State::rolling, State::done, State::failed,
                              State::returning, State::returned}) {
        CHECK(parse_upgrade_state(to_string(state)) == state);
    }
    CHECK_FALSE(parse_upgrade_state("walking").has_value());
}

TEST_CASE("upgrade: what a program says about itself") {
    const auto facts = parse_build_facts("a line before\n{\"version\":\"1\",\"build\":\"b\",\"slab_layout\":\"c\"}\n");
    REQUIRE(facts.has_value());
    CHECK(facts->version == "1");
    CHECK(facts->build == "b");
    CHECK(facts->layout.slab == "c");
    CHECK(facts->layout.memory.empty());
    const auto more =
        parse_build_facts(R"({"version":"1","build":"b","slab_layout":"c","memory_layout":"d","snapshot_version":3})");
    REQUIRE(more.has_value());
    CHECK(more->layout.memory == "d");
    CHECK(more->layout.snapshot_version == 3);
    for (const char* text : {"", "{", "[]", "{}", "version 1", R"({"version":"1","build":2,"slab_layout":"c"})",
                             R"({"version":"1","build":"b"})"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_build_facts(text).has_value());
    }
}
