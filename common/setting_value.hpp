#pragma once
// Reads the text of one setting by its kind. Pure. A problem is a phrase for people ("not a number"); the table in
// config.cpp adds the name, the value, the source and what is valid.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentlocator {

// Nothing: the value was taken. Otherwise what is wrong with it.
using SettingProblem = std::optional<std::string>;

inline constexpr std::size_t setting_bytes_max = 4096;      // Longest path of Linux; no value of ours needs more.
inline constexpr std::size_t control_path_bytes_max = 107;  // sun_path of a Unix socket, without its NUL (unix(7)).
inline constexpr std::size_t trusted_proxies_max = 64;      // Each is compared with every request's peer.

struct IntegerRange {
    std::uint64_t min;
    std::uint64_t max;
};

[[nodiscard]] SettingProblem read_integer(std::string_view text, IntegerRange range, std::uint64_t& out);
// Seconds with at most three decimals, "0.12"; and the same back.
[[nodiscard]] SettingProblem read_seconds(std::string_view text, std::chrono::milliseconds min,
                                          std::chrono::milliseconds max, std::chrono::milliseconds& out);
[[nodiscard]] std::string seconds_text(std::chrono::milliseconds duration);
[[nodiscard]] SettingProblem read_boolean(std::string_view text,
                                          bool& out);  // 1 true yes on, 0 false no off; any case.

// An absolute http(s) URL without query, fragment or user; slashes at its end are removed.
[[nodiscard]] SettingProblem read_base_url(std::string_view text, std::string& out);

// "127.0.0.1", "::1": never a name, because "localhost" may be either (F-41).
[[nodiscard]] SettingProblem read_address(std::string_view text, std::string& out);
[[nodiscard]] SettingProblem read_address_list(std::string_view text, std::vector<std::string>& out);  // "none": empty.

// A relative path is taken from `root`, never from the working directory (F-37).
[[nodiscard]] SettingProblem read_path(std::string_view text, std::string_view root, std::string& out);

// Printable ASCII without blanks: identifiers and keys.
[[nodiscard]] SettingProblem read_token(std::string_view text, std::string& out);

}  // namespace agentlocator
