#pragma once
// What a supervisor leaves to the program it becomes by exec: JSON in a memfd, with the numbers of the descriptors that
// stay open. Pure: text in, document out and back. Everything else is found as after a crash (io/adoption).
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "supervisor/upgrade.hpp"

namespace agentlocator {

inline constexpr char inheritance_variable[] = "AGENTLOCATOR_INHERIT";  // Number of the memfd.

struct KeptSocket {
    std::uint32_t slot = 0;
    std::uint64_t call = 0;
    int fd = -1;
    friend bool operator==(const KeptSocket&, const KeptSocket&) = default;
};

struct Inheritance {
    std::string instance;
    UpgradeRecord upgrade;
    int lock = -1;
    int listener = -1;
    bool activated = false;  // The listener came from the service manager.
    int slab = -1;
    int old_program = -1;          // The image to go back to.
    int old_worker = -1;           // The workers of that build; -1: take the one on the disk.
    std::uint64_t generation = 0;  // Of the children before this upgrade (common/call_slab.hpp).
    std::vector<KeptSocket> sockets;
    std::uint32_t workers = 0;             // Wanted now, and ...
    std::uint32_t workers_configured = 0;  // ... by the settings: they differ after `scale`.
    std::string mode;                      // Set by command; empty: the configured one.
    std::optional<std::int64_t> mode_until_ns;
    friend bool operator==(const Inheritance&, const Inheritance&) = default;
};

[[nodiscard]] std::string encode_inheritance(const Inheritance& document);
// A document of another format or with a gap is an error as a whole.
[[nodiscard]] Result<Inheritance> parse_inheritance(std::string_view text);

}  // namespace agentlocator
