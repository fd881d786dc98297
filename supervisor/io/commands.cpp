#include "supervisor/io/commands.hpp"

#include <unistd.h>

#include "supervisor/io/command_context.hpp"
#include "supervisor/run.hpp"

namespace agentlocator::cli {

int perform_command(const ShowText& text, const Options&) {
    if (text.code == ExitCode::ok) {
        return show(text.text);
    }
    (void)!::write(STDERR_FILENO, text.text.data(), text.text.size());
    return to_int(text.code);
}

int perform_command(const RunCommand& run, const Options& options) {
    RunOptions out;
    out.enforce_ai = run.enforce_ai;
    out.takeover = run.takeover;
    const SettingFacts facts = setting_facts();
    out.load = [&options, facts] { return load_settings({options.env_file, options.flags}, facts); };
    return run_supervisor(out);
}

int perform(const Options& options) {
    return std::visit([&](const auto& chosen) { return perform_command(chosen, options); }, options.command);
}

}  // namespace agentlocator::cli
