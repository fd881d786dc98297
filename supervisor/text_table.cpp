// Widths, tables and wrapping of status_text.hpp.
#include <algorithm>
#include <array>
#include <cstdio>
#include <numeric>

#include "common/text.hpp"
#include "supervisor/status_text.hpp"

namespace agentlocator {
namespace {

constexpr std::size_t gap = 2;  // Blanks between columns.

bool continues_character(char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U;
}

std::size_t total_width(const std::vector<std::size_t>& widths, const std::vector<bool>& shown) {
    std::size_t total = 0;
    for (std::size_t i = 0; i < widths.size(); ++i) {
        total += shown[i] ? widths[i] + (total > 0 ? gap : 0) : 0;
    }
    return total;
}

void leave_out(const std::vector<TextColumn>& columns, const std::vector<std::size_t>& widths, std::size_t width,
               std::vector<bool>& shown) {
    while (width > 0 && total_width(widths, shown) > width) {
        std::size_t least = columns.size();
        for (std::size_t i = 0; i < columns.size(); ++i) {
            const bool may_go = shown[i] && columns[i].importance > 0;
            if (may_go && (least == columns.size() || columns[i].importance < columns[least].importance)) {
                least = i;
            }
        }
        if (least == columns.size()) {
            return;
        }
        shown[least] = false;
    }
}

std::string two_units(std::int64_t large, const char* large_unit, std::int64_t small, const char* small_unit) {
    std::string text = std::to_string(large) + large_unit;
    return small == 0 ? text : text + " " + std::to_string(small) + small_unit;
}

}  // namespace

std::string human_duration(std::int64_t seconds) {
    if (seconds < 0) {
        return "-";
    }
    if (seconds < 60) {
        return std::to_string(seconds) + " s";
    }
    if (seconds < 3600) {
        return two_units(seconds / 60, " min", seconds % 60, " s");
    }
    if (seconds < 86'400) {
        return two_units(seconds / 3600, " h", seconds % 3600 / 60, " min");
    }
    return two_units(seconds / 86'400, " d", seconds % 86'400 / 3600, " h");
}

std::string human_bytes(std::uint64_t bytes) {
    constexpr std::array<const char*, 5> units{"B", "kB", "MB", "GB", "TB"};
    std::size_t unit = 0;
    auto value = static_cast<double>(bytes);
    while (value >= 1000 && unit + 1 < units.size()) {
        value /= 1000;
        ++unit;
    }
    std::array<char, 32> text{};
    const char* format = unit > 0 && value < 9.95 ? "%.1f %s" : "%.0f %s";
    const int length = std::snprintf(text.data(), text.size(), format, value, units[unit]);
    return {text.data(), static_cast<std::size_t>(std::max(length, 0))};
}

std::string human_count(std::uint64_t count) {
    std::string digits = std::to_string(count);
    for (std::size_t place = digits.size(); place > 3; place -= 3) {
        digits.insert(place - 3, " ");
    }
    return digits;
}

std::string harmless(std::string_view text, bool keep_lines) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
        const bool kept = keep_lines && (text[i] == '\n' || text[i] == '\t');
        // U+0080 to U+009F are control characters too; in UTF-8 they are C2 80 to C2 9F.
        if (byte == 0xc2 && next >= 0x80 && next <= 0x9f) {
            out += '?';
            ++i;
        } else {
            out += (byte < 0x20 && !kept) || byte == 0x7f ? '?' : text[i];
        }
    }
    return out;
}

std::size_t text_width(std::string_view text) {
    std::size_t width = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\x1b') {  // A colour of ours: ESC [ numbers m.
            const auto end = text.find('m', i);
            i = end == std::string_view::npos ? text.size() : end;
        } else if (!continues_character(text[i])) {
            ++width;
        }
    }
    return width;
}

std::vector<std::string> render_table(const std::vector<TextColumn>& columns,
                                      const std::vector<std::vector<std::string>>& rows, std::size_t width) {
    std::vector<std::size_t> widths(columns.size());
    for (std::size_t i = 0; i < columns.size(); ++i) {
        widths[i] = text_width(columns[i].title);
        for (const auto& row : rows) {
            widths[i] = std::max(widths[i], text_width(row[i]));
        }
    }
    std::vector<bool> shown(columns.size(), true);
    leave_out(columns, widths, width, shown);
    std::vector<std::string> lines;
    const auto add_line = [&](const auto& cell) {
        std::string line;
        for (std::size_t i = 0; i < columns.size(); ++i) {
            if (!shown[i]) {
                continue;
            }
            const std::string& text = cell(i);
            const std::string fill(widths[i] - std::min(widths[i], text_width(text)), ' ');
            line += (line.empty() ? "" : std::string(gap, ' ')) + (columns[i].right ? fill + text : text + fill);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        lines.push_back(std::move(line));
    };
    add_line([&](std::size_t i) -> const std::string& { return columns[i].title; });
    for (const auto& row : rows) {
        add_line([&](std::size_t i) -> const std::string& { return row[i]; });
    }
    return lines;
}

std::string wrap_text(std::string_view text, std::string_view first, std::size_t width) {
    const std::string indent(text_width(first), ' ');
    std::string out(first);
    std::size_t column = indent.size();
    bool line_begins = true;
    for (const std::string_view word : split(text, ' ')) {
        const std::size_t length = text_width(word);
        if (!line_begins && width > 0 && column + 1 + length > width) {
            out += "\n" + indent;
            column = indent.size();
            line_begins = true;
        }
        out += (line_begins ? "" : " ") + std::string(word);
        column += length + (line_begins ? 0 : 1);
        line_begins = false;
    }
    return out;
}

}  // namespace agentlocator
