#include "supervisor/io/command_context.hpp"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "supervisor/io/terminal.hpp"

namespace agentlocator::cli {

using Json = nlohmann::json;

int fail(const std::string& text, ExitCode code) {
    const std::string line = "agentlocator: " + harmless(text, true) + "\n";
    (void)!::write(STDERR_FILENO, line.data(), line.size());
    return to_int(code);
}

int fail(const Error& problem) {
    const bool absent = problem.code == Errc::not_found || problem.code == Errc::timeout;
    return fail(problem.detail, absent ? ExitCode::unavailable : ExitCode::failed);
}

int show(std::string_view text) {
    return to_int(write_output(text) ? ExitCode::ok : ExitCode::failed);
}

void warn(const std::string& text) {
    (void)fail(text, ExitCode::ok);
}

Context load_context(const Options& options) {
    Context context;
    context.facts = setting_facts();
    context.loaded = load_settings({options.env_file, options.flags}, context.facts);
    context.client = ControlClient({context.settings().runtime_dir + "/control.sock", context.settings().lock_path});
    return context;
}

std::string refusal_text(std::string_view body) {
    const Json document = Json::parse(body, nullptr, false);
    if (!document.is_object()) {
        return "the supervisor refused: " + std::string(trim(body));
    }
    const auto text_at = [&](const char* key) {
        const auto found = document.find(key);
        return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    const std::string what = text_at("error");
    const std::string remedy = text_at("remedy");
    return (what.empty() ? "refused" : what) + (remedy.empty() ? "" : "; " + remedy);
}

}  // namespace agentlocator::cli
