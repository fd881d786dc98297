#include "bridge-launcher/install_plan.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;
using Kind = InstallOutcome::Kind;

namespace {
const std::string wanted = install_stamp("abc", 20);
}

TEST_CASE("install_plan: the stamp tells lock files and Node versions apart") {
    CHECK(install_stamp("abc", 20) == "sha256=abc node=20");
    CHECK(install_stamp("abc", 20) != install_stamp("abd", 20));
    CHECK(install_stamp("abc", 20) != install_stamp("abc", 22));
}

TEST_CASE("install_plan: nothing is installed again while the stamp matches") {
    CHECK(plan_install({.exists = true, .npm_finished = true, .stamp = wanted, .previous_exists = false}, wanted) ==
          InstallPlan{});
    // A bridge without packages has no hidden lock file of npm's.
    CHECK_FALSE(plan_install({.exists = true, .npm_finished = false, .stamp = wanted, .previous_exists = false}, wanted)
                    .needed);
}

TEST_CASE("install_plan: whole packages are kept aside, a broken heap is not") {
    const auto plan = [](ModulesFacts facts) { return plan_install(facts, wanted); };
    CHECK(plan({}) == InstallPlan{true, false, "nothing is installed"});
    CHECK(plan({.exists = true, .npm_finished = true, .stamp = "old", .previous_exists = false}) ==
          InstallPlan{true, true, "package-lock.json or Node changed"});
    CHECK(plan({.exists = true, .npm_finished = true, .stamp = "", .previous_exists = false}) ==
          InstallPlan{true, true, "installed by hand, from an unknown lock file"});
    CHECK(plan({.exists = true, .npm_finished = false, .stamp = "", .previous_exists = false}) ==
          InstallPlan{true, false, "the last installation did not finish"});
}

TEST_CASE("install_plan: after an interruption the stamp says which packages are whole") {
    CHECK(plan_recovery({.exists = true, .npm_finished = true, .stamp = wanted, .previous_exists = false}) ==
          Recovery::none);
    CHECK(plan_recovery({.exists = true, .npm_finished = true, .stamp = wanted, .previous_exists = true}) ==
          Recovery::remove_previous);
    CHECK(plan_recovery({.exists = true, .npm_finished = true, .stamp = "", .previous_exists = true}) ==
          Recovery::restore_previous);
    CHECK(plan_recovery({.exists = false, .npm_finished = false, .stamp = "", .previous_exists = true}) ==
          Recovery::restore_previous);
}

TEST_CASE("install_plan: success starts the bridge and finishes the installation") {
    const InstallVerdict verdict =
        judge_install({.needed = true, .keep_previous = true, .reason = ""}, {Kind::succeeded, ""});
    CHECK(verdict == InstallVerdict{.start = true, .finish = true, .restore = false, .problem = std::nullopt});
}

TEST_CASE("install_plan: told to stop means no start, no complaint, and the old packages back") {
    CHECK(judge_install({true, true, ""}, {Kind::stopped, ""}) ==
          InstallVerdict{.start = false, .finish = false, .restore = true, .problem = std::nullopt});
    CHECK(judge_install({true, false, ""}, {Kind::stopped, ""}) == InstallVerdict{});
}

TEST_CASE("install_plan: a failure starts with the previous packages, and says so") {
    for (const Kind kind : {Kind::failed, Kind::timed_out, Kind::not_run}) {
        const InstallVerdict verdict = judge_install({true, true, ""}, {kind, "npm ended with exit code 1"});
        CHECK(verdict.start);
        CHECK(verdict.restore);
        CHECK_FALSE(verdict.finish);
        REQUIRE(verdict.problem.has_value());
        CHECK(verdict.problem->cause ==
              "installing the bridge's packages failed: npm ended with exit code 1; "
              "starting with the packages installed before");
    }
}

TEST_CASE("install_plan: a failure with nothing to fall back on may be tried again, a missing npm may not") {
    for (const Kind kind : {Kind::failed, Kind::timed_out}) {
        const InstallVerdict verdict = judge_install({true, false, ""}, {kind, "npm took longer than its deadline"});
        CHECK_FALSE(verdict.start);
        CHECK_FALSE(verdict.restore);
        REQUIRE(verdict.problem.has_value());
        CHECK(verdict.problem->code == ExitCode::temporary);
    }
    const InstallVerdict verdict = judge_install({true, false, ""}, {Kind::not_run, "npm was not found"});
    CHECK_FALSE(verdict.start);
    REQUIRE(verdict.problem.has_value());
    CHECK(verdict.problem->code == ExitCode::bad_config);
}
