#pragma once
// Parsers for the text files of /proc (proc(5)). Pure. The contents come from other processes: a name may hold ") (",
// a command line may lack its final NUL.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agentlocator {

struct ProcStat {
    std::string name;
    char state = '?';
    std::int64_t parent = 0;
    std::uint64_t start_ticks = 0;
};
[[nodiscard]] std::optional<ProcStat> parse_proc_stat(std::string_view text);  // /proc/PID/stat

// /proc/PID/cmdline and environ: strings ended by NUL, the last one perhaps not.
[[nodiscard]] std::vector<std::string> parse_proc_strings(std::string_view text);

// The target of /proc/PID/exe or cwd without the " (deleted)" that the kernel adds after an upgrade.
[[nodiscard]] std::string_view strip_deleted(std::string_view link);

struct TcpListener {
    std::string address;  // "127.0.0.1", "::"; a mapped IPv4 address in its IPv4 form.
    std::uint16_t port = 0;
    std::uint32_t uid = 0;
    std::uint64_t inode = 0;
    friend bool operator==(const TcpListener&, const TcpListener&) = default;
};
// Rows of /proc/net/tcp or tcp6 in state LISTEN (0A) with this port. Malformed rows are skipped.
[[nodiscard]] std::vector<TcpListener> parse_tcp_listeners(std::string_view text, std::uint16_t port);

// True when two listeners on the same port cannot both be: same address, or one of them takes every address.
[[nodiscard]] bool addresses_conflict(std::string_view a, std::string_view b);

// Pid that holds a flock on this inode, from /proc/locks.
[[nodiscard]] std::optional<std::int64_t> parse_flock_holder(std::string_view text, std::uint64_t inode);

// Seconds since the epoch at which the machine was booted, from /proc/stat.
[[nodiscard]] std::optional<std::int64_t> parse_boot_time(std::string_view text);

}  // namespace agentlocator
