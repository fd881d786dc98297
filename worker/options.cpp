#include "worker/options.hpp"

#include <CLI/CLI.hpp>

#include "common/exit_code.hpp"

namespace agentlocator {

std::optional<WorkerOptions> parse_worker_options(int argc, char** argv, int& exit_status) {
    CLI::App app(
        "One media worker: Twilio's webhooks and media streams.\n"
        "The supervisor (`agentlocator run`) starts workers; alone it serves on --port, or on a socket\n"
        "handed over by systemd (LISTEN_FDS). Settings come from the environment: `agentlocator config`.",
        "agentlocator-worker");
    WorkerOptions options;
    app.add_option("--port", options.port, "Port to serve on; 0 takes a free one (default: PORT)");
    app.add_option("--bind", options.bind_address, "Numeric address (default: BIND_ADDRESS)");
    app.set_version_flag("--version", AGENTLOCATOR_VERSION);
    app.footer(
        "Exit status: 0 drained, 64 usage, 75 port taken, 78 wrong settings.\n"
        "Example: WS_MODE=ECHO agentlocator-worker --port 5001");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
        exit_status = app.exit(problem) == 0 ? to_int(ExitCode::ok) : to_int(ExitCode::usage);
        return std::nullopt;
    }
    return options;
}

}  // namespace agentlocator
