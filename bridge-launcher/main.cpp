// agentlocator-bridge-launcher: checks what the WhatsApp bridge needs, installs its packages when they changed, and
// becomes `node index.js`, so that signals and exit codes are node's own.
//
// Ctrl-C must not reach the bridge (F-44): node gives every signal its default meaning at start, so that ignoring
// SIGINT here would not last. What lasts is the process group: the supervisor puts us in our own; without one, we leave
// the terminal's.
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "bridge-launcher/io/install.hpp"
#include "bridge-launcher/io/launch.hpp"
#include "common/log_line.hpp"

using namespace agentlocator;

namespace {

constexpr const char* usage =
    "usage: agentlocator-bridge-launcher [--check | --operate WORD... | --help | --version]\n"
    "Starts the WhatsApp bridge: BRIDGE_DIR, or baileys-bridge beside the installation.\n"
    "--check says whether it could be started, and changes nothing. Started by `agentlocator run`.\n";

int refuse(const LaunchProblem& problem) {
    const auto line = log_line("bridge_not_started", {{"cause", problem.cause}, {"remedy", problem.remedy}});
    std::fprintf(stderr, "%s\n", line.c_str());
    return to_int(problem.code);
}

int check(const LaunchPlan& plan) {
    const auto stamp = wanted_stamp(plan.directory, plan.node_major);
    const bool needed = !stamp || plan_install(gather_modules_facts(plan.directory), *stamp).needed;
    const auto line = log_line(
        "bridge_checked",
        {{"folder", plan.directory}, {"node", plan.node}, {"node_major", plan.node_major}, {"install_needed", needed}});
    std::printf("%s\n", line.c_str());
    return to_int(ExitCode::ok);
}

// `agentlocator whatsapp`: Node with another script, in the operator's terminal. Nothing is installed: it needs no
// package.
int operate(std::vector<std::string> arguments) {
    StopSignal stop;
    const LaunchFacts facts = gather_launch_facts(current_environment(), stop);
    auto planned = plan_launch(facts);
    if (const auto* problem = std::get_if<LaunchProblem>(&planned)) {
        return refuse(*problem);
    }
    auto& plan = std::get<LaunchPlan>(planned);
    plan.argv = {plan.node, plan.directory + "/whatsapp.js"};
    plan.argv.insert(plan.argv.end(), arguments.begin(), arguments.end());
    return become(plan, stop);
}

int run(bool check_only) {
    StopSignal stop;
    const LaunchFacts facts = gather_launch_facts(current_environment(), stop);
    if (stop.arrived()) {
        return to_int(ExitCode::ok);
    }
    const auto planned = plan_launch(facts);
    if (const auto* problem = std::get_if<LaunchProblem>(&planned)) {
        return refuse(*problem);
    }
    const auto& plan = std::get<LaunchPlan>(planned);
    if (check_only) {
        return check(plan);
    }
    const InstallResult installed = ensure_installed(plan, facts, stop);
    if (installed.problem) {
        const int code = refuse(*installed.problem);
        if (!installed.start) {
            return code;
        }
    } else if (!installed.start) {
        return to_int(ExitCode::ok);  // Told to stop.
    }
    return launch(plan, stop);
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view argument = argc == 2 ? argv[1] : "";
    if (argument == "--help" || argument == "-h") {
        std::fputs(usage, stdout);
        return to_int(ExitCode::ok);
    }
    if (argument == "--version") {
        std::puts("agentlocator-bridge-launcher " AGENTLOCATOR_VERSION);
        return to_int(ExitCode::ok);
    }
    if (argc > 1 && std::string_view(argv[1]) == "--operate") {
        return operate({argv + 2, argv + argc});
    }
    if (argc > 1 && argument != "--check") {
        std::fputs(usage, stderr);
        return to_int(ExitCode::usage);
    }
    leave_terminal();
    try {
        return run(argument == "--check");
    } catch (const std::exception& failure) {
        return refuse({failure.what(), "see the cause; if it persists, restart the machine", ExitCode::internal});
    }
}
