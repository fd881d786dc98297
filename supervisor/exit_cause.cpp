#include "supervisor/exit_cause.hpp"

#include <csignal>
#include <cstring>

#include "common/exit_code.hpp"

namespace agentlocator {
namespace {

std::string signal_text(int number) {
    const char* name = ::sigabbrev_np(number);
    return "signal " + std::to_string(number) + (name == nullptr ? "" : std::string(" (SIG") + name + ")");
}

std::string code_text(int code) {
    const auto is = [code](ExitCode known) { return code == to_int(known); };
    std::string meaning;
    if (is(ExitCode::usage)) {
        meaning = " (wrong arguments)";
    } else if (is(ExitCode::bad_data)) {
        meaning = " (its stored data is damaged)";
    } else if (is(ExitCode::unavailable)) {
        meaning = " (something it needs is missing)";
    } else if (is(ExitCode::internal)) {
        meaning = " (internal error)";
    } else if (is(ExitCode::temporary)) {
        meaning = " (temporary failure)";
    } else if (is(ExitCode::bad_config)) {
        meaning = " (wrong settings)";
    } else if (is(ExitCode::supervisor_gone)) {
        meaning = " (its supervisor was gone)";
    }
    return "exit code " + std::to_string(code) + meaning;
}

}  // namespace

std::string describe_exit(const ExitFacts& facts) {
    if (facts.exec_errno) {
        return std::string("the program could not be executed: ") + ::strerrordesc_np(*facts.exec_errno);
    }
    std::string text;
    if (facts.hung) {
        text = "hung: no heartbeat, ended by us, ";
    } else if (facts.start_too_slow) {
        text = "not ready in time, ended by us, ";
    } else if (facts.asked == SlotAction::kill) {
        text = "did not end when asked, killed by us, ";
    }
    if (facts.unknown) {
        text += "exit status unknown (started by an earlier supervisor)";
    } else if (facts.signal) {
        text += signal_text(*facts.signal);
    } else {
        text += code_text(facts.code.value_or(0));
    }
    return text + (facts.core ? ", core dumped" : "") + (facts.call_in_hand ? ", with a call in hand" : "");
}

Death death_of(const ExitFacts& facts) {
    const bool killed = facts.unknown || facts.signal == SIGKILL;
    return killed && !facts.hung ? Death::killed : Death::of_itself;
}

ExitKind exit_kind(const ExitFacts& facts, bool is_bridge) {
    if (facts.exec_errno) {
        return ExitKind::ordinary;
    }
    if (!facts.code) {
        return facts.call_in_hand ? ExitKind::of_a_call : facts.calls_wait ? ExitKind::awaited : ExitKind::ordinary;
    }
    const int code = *facts.code;
    const bool permanent = code == to_int(ExitCode::usage) || code == to_int(ExitCode::bad_config) ||
                           code == to_int(ExitCode::bad_data) || (is_bridge && code == to_int(ExitCode::unavailable));
    return permanent ? ExitKind::permanent : ExitKind::ordinary;
}

}  // namespace agentlocator
