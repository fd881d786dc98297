#include "store/table.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace agentlocator {
namespace {

using Json = nlohmann::ordered_json;

bool is_time(std::string_view column) {
    return column.ends_with("_at");
}

std::string shown(const Value& value, std::string_view column) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
        return is_time(column) ? iso_time(*number) : std::to_string(*number);
    }
    return text(value);
}

Json json_value(const Value& value, std::string_view column) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
        if (!is_time(column)) {
            return *number;
        }
        return *number == 0 ? Json() : Json(iso_time(*number));
    }
    const auto* string = std::get_if<std::string>(&value);
    return string == nullptr ? Json() : Json(*string);
}

// Characters, not bytes: Hebrew takes two bytes a letter. Combining marks are counted too, which only widens a column.
std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

bool is_number(std::string_view text) {
    const std::size_t sign = text.starts_with('+') || text.starts_with('-') ? 1 : 0;
    return text.size() > sign && text.find_first_not_of("0123456789", sign) == std::string_view::npos;
}

// A peer's text may hold anything: on a terminal only what can be seen.
std::string harmless_cell(std::string text) {
    for (char& c : text) {
        const auto byte = static_cast<unsigned char>(c);
        c = byte < 0x20 || byte == 0x7f ? ' ' : c;
    }
    return text.empty() ? "-" : text;
}

}  // namespace

std::string iso_time(std::int64_t ms) {
    if (ms == 0) {
        return {};
    }
    using namespace std::chrono;
    const sys_time<milliseconds> when{milliseconds(ms)};
    const auto day = floor<days>(when);
    const year_month_day date(day);
    const hh_mm_ss time(floor<milliseconds>(when - day));
    char text[40];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                  static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
    return text;
}

nlohmann::ordered_json to_json(const Table& table, std::size_t row) {
    Json object = Json::object();
    for (std::size_t i = 0; i < table.columns.size() && i < table.rows[row].size(); ++i) {
        object[table.columns[i]] = json_value(table.rows[row][i], table.columns[i]);
    }
    return object;
}

nlohmann::ordered_json to_json(const Table& table) {
    Json list = Json::array();
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        list.push_back(to_json(table, i));
    }
    return list;
}

std::string csv_field(std::string_view text) {
    std::string field(text);
    if (!text.empty() && std::string_view("=+-@\t\r\n").find(text.front()) != std::string_view::npos &&
        !is_number(text)) {
        field.insert(0, "'");
    }
    if (field.find_first_of(",\"\r\n") == std::string::npos) {
        return field;
    }
    std::string quoted = "\"";
    for (const char c : field) {
        quoted += c == '"' ? "\"\"" : std::string(1, c);
    }
    return quoted + "\"";
}

std::string to_csv(const Table& table) {
    // Without this mark spreadsheets take UTF-8 for an old code page, and Hebrew for noise. Programs are served by
    // JSON.
    std::string out = "\xEF\xBB\xBF";
    const auto add_line = [&](const std::vector<std::string>& fields) {
        for (std::size_t i = 0; i < fields.size(); ++i) {
            out += (i == 0 ? "" : ",") + csv_field(fields[i]);
        }
        out += "\r\n";
    };
    add_line(table.columns);
    for (const Row& row : table.rows) {
        std::vector<std::string> fields;
        for (std::size_t i = 0; i < row.size(); ++i) {
            fields.push_back(shown(row[i], table.columns[i]));
        }
        add_line(fields);
    }
    return out;
}

std::string to_columns(const Table& table) {
    std::vector<std::vector<std::string>> lines{table.columns};
    for (const Row& row : table.rows) {
        auto& cells = lines.emplace_back();
        for (std::size_t i = 0; i < row.size(); ++i) {
            cells.push_back(harmless_cell(shown(row[i], table.columns[i])));
        }
    }
    std::vector<std::size_t> widths(table.columns.size(), 0);
    for (const auto& cells : lines) {
        for (std::size_t i = 0; i < cells.size(); ++i) {
            widths[i] = std::max(widths[i], width(cells[i]));
        }
    }
    std::string out;
    for (const auto& cells : lines) {
        std::string line;
        for (std::size_t i = 0; i < cells.size(); ++i) {
            line += cells[i] + std::string(widths[i] - width(cells[i]) + 2, ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + "\n";
    }
    return out;
}

}  // namespace agentlocator
