#pragma once
// Why a child ended, in words that need no manual. Pure.
#include <optional>
#include <string>

#include "supervisor/call_vault.hpp"
#include "supervisor/process_slot.hpp"

namespace agentlocator {

struct ExitFacts {
    std::optional<int> code{};            // Exit status, when it ended by itself.
    std::optional<int> signal{};          // Number, when a signal ended it.
    bool unknown = false;                 // Not our own child: its status went to whoever was its parent.
    bool core = false;                    // The kernel wrote a core dump.
    std::optional<int> exec_errno{};      // The program could not be executed.
    SlotAction asked = SlotAction::none;  // The harshest thing we had asked of it.
    bool hung = false;                    // We ended it because its heartbeat stopped.
    bool start_too_slow = false;          // We ended it because it did not become ready.
    bool call_in_hand = false;            // It died while it handled a call's bytes.
    bool calls_wait = false;              // Calls have no other worker to go to.
};

// "signal 9 (SIGKILL)", "exit code 78 (wrong settings)", "hung: no heartbeat, aborted by us, signal 6 (SIGABRT)".
[[nodiscard]] std::string describe_exit(const ExitFacts& facts);

// Killed, unless it was us who killed it for a hang; or ended of itself.
[[nodiscard]] Death death_of(const ExitFacts& facts);

// permanent: starting it again cannot help before somebody changes something (sysexits: usage, unavailable, config).
// 69 is permanent for the bridge only (its launcher says: Node or the folder is missing).
[[nodiscard]] ExitKind exit_kind(const ExitFacts& facts, bool is_bridge);

}  // namespace agentlocator
