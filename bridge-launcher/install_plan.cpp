#include "bridge-launcher/install_plan.hpp"

namespace agentlocator {

std::string install_stamp(std::string_view lock_sha256, int node_major) {
    return "sha256=" + std::string(lock_sha256) + " node=" + std::to_string(node_major);
}

Recovery plan_recovery(const ModulesFacts& facts) {
    if (!facts.previous_exists) {
        return Recovery::none;
    }
    // The stamp is written last: with it only the removal was missing, without it the new packages are not whole.
    return facts.stamp.empty() ? Recovery::restore_previous : Recovery::remove_previous;
}

InstallPlan plan_install(const ModulesFacts& facts, std::string_view wanted_stamp) {
    if (facts.stamp == wanted_stamp) {
        return {};
    }
    if (!facts.exists) {
        return {.needed = true, .keep_previous = false, .reason = "nothing is installed"};
    }
    if (!facts.stamp.empty()) {
        return {.needed = true, .keep_previous = true, .reason = "package-lock.json or Node changed"};
    }
    if (facts.npm_finished) {
        return {.needed = true, .keep_previous = true, .reason = "installed by hand, from an unknown lock file"};
    }
    return {.needed = true, .keep_previous = false, .reason = "the last installation did not finish"};
}

InstallVerdict judge_install(const InstallPlan& plan, const InstallOutcome& outcome) {
    using Kind = InstallOutcome::Kind;
    switch (outcome.kind) {
        case Kind::succeeded:
            return {.start = true, .finish = true, .restore = false, .problem = std::nullopt};
        case Kind::stopped:
            return {.start = false, .finish = false, .restore = plan.keep_previous, .problem = std::nullopt};
        case Kind::failed:
        case Kind::timed_out:
        case Kind::not_run:
            break;
    }
    LaunchProblem problem{.cause = "installing the bridge's packages failed: " + outcome.detail,
                          .remedy =
                              "see npm's lines above; check the network and the registry, then: "
                              "agentlocator restart bridge",
                          .code = ExitCode::temporary};
    if (outcome.kind == Kind::not_run) {
        problem.remedy = "install npm (Debian: apt-get install npm), then: agentlocator restart bridge";
        problem.code = ExitCode::bad_config;
    }
    if (plan.keep_previous) {
        problem.cause += "; starting with the packages installed before";
    }
    return {.start = plan.keep_previous, .finish = false, .restore = plan.keep_previous, .problem = problem};
}

}  // namespace agentlocator
