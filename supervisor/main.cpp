// The program `agentlocator`: the supervisor and its command line.
#include <csignal>

#include "supervisor/io/commands.hpp"
#include "supervisor/options.hpp"

int main(int argc, char** argv) {
    // Commands write to pipes that may close (`agentlocator logs | head`); an error code is enough.
    std::signal(SIGPIPE, SIG_IGN);
    const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    return agentlocator::cli::perform(agentlocator::cli::parse_options(arguments));
}
