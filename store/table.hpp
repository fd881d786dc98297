#pragma once
// Rows with the names of their columns, and the forms people and programs take them in. Pure.
// A column whose name ends in "_at" holds milliseconds since 1970: JSON and CSV show ISO 8601, UTC; 0 is null or empty.
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "store/database.hpp"

namespace agentlocator {

struct Table {
    std::vector<std::string> columns;
    Rows rows;
};

[[nodiscard]] nlohmann::ordered_json to_json(const Table& table);                   // An array of objects.
[[nodiscard]] nlohmann::ordered_json to_json(const Table& table, std::size_t row);  // One object.
[[nodiscard]] std::string to_csv(const Table& table);                               // RFC 4180, with a header line.
[[nodiscard]] std::string to_columns(const Table& table);                           // For a terminal.

// "2026-11-21T16:00:00.123Z"; empty for 0.
[[nodiscard]] std::string iso_time(std::int64_t ms);

// One CSV field. A text that a spreadsheet would run as a formula gets an apostrophe in front: callers choose their
// names. Numbers, and telephone numbers with their plus, stay as they are.
[[nodiscard]] std::string csv_field(std::string_view text);

}  // namespace agentlocator
