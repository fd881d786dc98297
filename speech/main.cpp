// agentlocator-speech: the helper with the engines that need no key and no network. See options.cpp for its commands.
#include <csignal>
#include <cstdio>
#include <exception>

#include "common/io/settings_source.hpp"
#include "speech/io/once.hpp"
#include "speech/io/serve.hpp"
#include "speech/options.hpp"

namespace {

using namespace agentlocator;
using namespace agentlocator::speech;

ExitCode perform(const Command& command) {
    if (const auto* show = std::get_if<ShowText>(&command)) {
        std::fputs(show->text.c_str(), show->code == ExitCode::ok ? stdout : stderr);
        return show->code;
    }
    // A service has its settings in its environment; a command of an operator reads the settings file, too.
    const bool is_service = std::holds_alternative<ServeCommand>(command);
    const ParsedSettings parsed =
        is_service ? settings_from_environment(setting_facts()) : load_settings({}, setting_facts()).parsed;
    if (!parsed.faults.empty()) {
        std::fprintf(stderr, "agentlocator: %s\n", parsed.faults.front().detail.c_str());
        return ExitCode::bad_config;
    }
    if (const auto* say = std::get_if<SayCommand>(&command)) {
        return say_once(*say, parsed.settings);
    }
    if (const auto* hear = std::get_if<HearCommand>(&command)) {
        return hear_once(*hear, parsed.settings);
    }
    return serve(std::get<ServeCommand>(command).socket, parsed.settings);
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);  // `say --out - | head`: an error code is enough.
    try {
        return to_int(perform(parse_options({argv + (argc > 0 ? 1 : 0), argv + argc})));
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "agentlocator-speech: %s\n", failure.what());
        return to_int(ExitCode::internal);
    }
}
