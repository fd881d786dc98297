#pragma once
// Command line of agentlocator-speech. Under the supervisor it has no arguments and serves the socket it was given;
// `agentlocator say` and `agentlocator hear` run it by itself, once. Pure; options.cpp is the one file with CLI11.
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/exit_code.hpp"

namespace agentlocator::speech {

struct ServeCommand {
    std::string socket;  // --socket: listens there by itself, without a supervisor. Empty: LISTEN_FDS.
};
struct SayCommand {
    std::string text;
    std::string language;  // Empty: AGENT_LANGUAGE.
    std::string out;       // A file, "-" for stdout; empty: nothing is kept, only the summary is printed.
    bool phonemes = false;
    bool json = false;
};
struct HearCommand {
    std::string file;  // "-": stdin.
    std::string language;
    std::vector<std::string> phrases;  // Empty: default_phrases.
    bool json = false;
};
struct ShowText {
    std::string text;
    ExitCode code = ExitCode::ok;
};
using Command = std::variant<ShowText, ServeCommand, SayCommand, HearCommand>;

// What `hear` listens for when it is not told: the answers of the built-in dialogue.
[[nodiscard]] const std::vector<std::string>& default_phrases(std::string_view language);

[[nodiscard]] Command parse_options(const std::vector<std::string>& arguments);  // Without the program's name.

}  // namespace agentlocator::speech
