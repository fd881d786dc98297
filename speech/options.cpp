#include "speech/options.hpp"

#include <CLI/CLI.hpp>

#include "common/text.hpp"

namespace agentlocator::speech {
namespace {

constexpr char exit_codes_text[] =
    "\nExit codes: 0 done; 1 it was tried and failed; 64 wrong command line; 69 an engine or a model is missing;\n"
    "            78 settings are wrong.\n";

void add_say(CLI::App& app, SayCommand& say) {
    CLI::App* command = app.add_subcommand("say", "Speak a text with the built-in voice, as a caller would hear it");
    command->add_option("text", say.text, "What to say; - reads it from stdin")->required()->type_name("TEXT");
    command->add_option("-l,--language", say.language, "he or en; default: AGENT_LANGUAGE")->type_name("LANG");
    command->add_option("-o,--out", say.out, "Write a WAV file (8 kHz mu-law); - is stdout")->type_name("FILE");
    command->add_flag("--phonemes", say.phonemes, "Show what the voice is given to speak");
    command->add_flag("--json", say.json, "The summary as JSON");
    command->footer(std::string("Examples:\n"
                                "  agentlocator say \"שלום, איך אפשר לעזור?\" --out hello.wav\n"
                                "  agentlocator say \"Two rooms, please.\" --language en --out - | aplay\n"
                                "  agentlocator say \"₪1,250\" --phonemes\n") +
                    exit_codes_text);
}

void add_hear(CLI::App& app, HearCommand& hear, std::string& list) {
    CLI::App* command = app.add_subcommand("hear", "Recognise a recording with the built-in recogniser");
    command->add_option("file", hear.file, "A WAV file of any rate; - is stdin")->required()->type_name("FILE");
    command->add_option("-l,--language", hear.language, "en or he; default: AGENT_LANGUAGE")->type_name("LANG");
    command
        ->add_option("-p,--phrases", list,
                     "The possible answers, commas between; default: the answers of the built-in dialogue")
        ->type_name("A,B,...");
    command->add_flag("--json", hear.json, "As JSON");
    command->footer(std::string("It chooses among phrases; it does not take dictation.\n"
                                "Examples:\n"
                                "  agentlocator hear answer.wav --language en --phrases \"yes,no,tel aviv\"\n"
                                "  agentlocator say yes -l en -o - | agentlocator hear - -l en\n") +
                    exit_codes_text);
}

ShowText wrong(const std::string& text) {
    return {text, ExitCode::usage};
}

}  // namespace

const std::vector<std::string>& default_phrases(std::string_view language) {
    static const std::vector<std::string> english{
        "yes",       "no",        "buy",   "rent",     "sell",      "other",  "an apartment", "a house",
        "an office", "a shop",    "land",  "one",      "two",       "three",  "four",         "five",
        "six",       "seven",     "eight", "nine",     "ten",       "hello",  "goodbye",      "thank you",
        "tel aviv",  "jerusalem", "haifa", "herzliya", "ramat gan", "netanya"};
    static const std::vector<std::string> hebrew{"כֵּן", "לֹא"};
    return language.starts_with("he") ? hebrew : english;
}

Command parse_options(const std::vector<std::string>& arguments) {
    CLI::App app("Speaks and listens: the engines that need no key and no network. The supervisor runs it.",
                 "agentlocator-speech");
    ServeCommand serve;
    SayCommand say;
    HearCommand hear;
    std::string list;
    app.require_subcommand(0, 1);
    app.add_option("--socket", serve.socket, "Listen on this Unix socket, without a supervisor")->type_name("PATH");
    add_say(app, say);
    add_hear(app, hear, list);
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // As CLI11 wants them.
    try {
        app.parse(std::move(reversed));
    } catch (const CLI::CallForHelp&) {
        return ShowText{app.help(), ExitCode::ok};
    } catch (const CLI::ParseError& problem) {
        return wrong("agentlocator: " + std::string(problem.what()) + "\n`--help` tells what is valid\n");
    }
    if (app.got_subcommand("say")) {
        return say;
    }
    if (app.got_subcommand("hear")) {
        for (const std::string_view phrase : split(list, ',')) {
            if (!trim(phrase).empty()) {
                hear.phrases.emplace_back(trim(phrase));
            }
        }
        return hear;
    }
    return serve;
}

}  // namespace agentlocator::speech
