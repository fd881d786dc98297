#pragma once
// The status document as people read it: a table whose columns fit the width, problems with cause and remedy. Pure.
// The document may come from another version: what is missing is shown as "-", what is unknown is left out, and no text
// in it can move the cursor.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace agentlocator {

struct TextStyle {
    std::size_t width = 0;  // 0: no limit (a pipe).
    bool colour = false;
};

[[nodiscard]] std::string render_status(const nlohmann::json& document, const TextStyle& style);

[[nodiscard]] std::string human_duration(std::int64_t seconds);  // "45 s", "3 min 5 s", "2 h 14 min", "5 d 3 h"
[[nodiscard]] std::string human_bytes(std::uint64_t bytes);      // "512 B", "14 MB"
[[nodiscard]] std::string human_count(std::uint64_t count);      // "1 234 567"

// Control bytes replaced, so that text of others stays text on a terminal. Line ends and tabs are kept on request.
[[nodiscard]] std::string harmless(std::string_view text, bool keep_lines = false);

// Columns of the terminal that `text` takes: UTF-8 characters, colours not counted.
[[nodiscard]] std::size_t text_width(std::string_view text);

// A table whose columns are aligned; columns are left out, the least important first, until it fits.
struct TextColumn {
    std::string title;
    int importance = 0;  // The smallest goes first; 0 never goes.
    bool right = false;  // Numbers.
};
[[nodiscard]] std::vector<std::string> render_table(const std::vector<TextColumn>& columns,
                                                    const std::vector<std::vector<std::string>>& rows,
                                                    std::size_t width);

// Broken at blanks; the first line begins with `first`, the others with as many blanks.
[[nodiscard]] std::string wrap_text(std::string_view text, std::string_view first, std::size_t width);

}  // namespace agentlocator
