#include "supervisor/status_text.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

namespace agentlocator {
namespace {

using Json = nlohmann::json;

const Json& part(const Json& object, const char* key) {
    static const Json nothing;
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found == object.end() ? nothing : *found;
}

std::string text_at(const Json& object, const char* key, const char* fallback = "-") {
    const Json& value = part(object, key);
    if (value.is_string()) {
        return harmless(value.get_ref<const std::string&>());
    }
    return value.is_number_integer() ? value.dump() : fallback;
}

std::optional<std::int64_t> number_at(const Json& object, const char* key) {
    const Json& value = part(object, key);
    return value.is_number_integer() ? std::optional(value.get<std::int64_t>()) : std::nullopt;
}

std::string count_at(const Json& object, const char* key) {
    const auto value = number_at(object, key);
    return value && *value >= 0 ? human_count(static_cast<std::uint64_t>(*value)) : "-";
}

std::string duration_at(const Json& object, const char* key) {
    const auto value = number_at(object, key);
    return value ? human_duration(*value) : "-";
}

class Painter {
public:
    explicit Painter(bool colour) : colour_(colour) {}
    [[nodiscard]] std::string bold(const std::string& text) const { return paint("1", text); }
    [[nodiscard]] std::string dim(const std::string& text) const { return paint("2", text); }
    [[nodiscard]] std::string red(const std::string& text) const { return paint("1;31", text); }
    [[nodiscard]] std::string green(const std::string& text) const { return paint("32", text); }
    [[nodiscard]] std::string yellow(const std::string& text) const { return paint("33", text); }

    [[nodiscard]] std::string state(const std::string& text) const {
        if (text == "running" || text == "serving") {
            return green(text);
        }
        if (text == "held" || text == "absent") {
            return text == "held" ? red(text) : dim(text);
        }
        return text == "-" ? text : yellow(text);
    }

private:
    [[nodiscard]] std::string paint(const char* code, const std::string& text) const {
        return colour_ ? "\x1b[" + std::string(code) + "m" + text + "\x1b[0m" : text;
    }
    bool colour_;
};

std::string head_line(const Json& document, const Painter& paint) {
    const std::string build = text_at(document, "build", "");
    return paint.bold("agentlocator " + text_at(document, "version")) + (build.empty() ? "" : " (" + build + ")") +
           "  " + paint.state(text_at(document, "state"));
}

std::string mode_line(const Json& document, const Painter& paint) {
    const Json& mode = part(document, "mode");
    const std::string name = text_at(mode, "mode");
    std::string line = name == "AI" ? name : paint.red(name);
    line += " (" + text_at(mode, "source") + ")";
    if (part(mode, "until").is_string()) {
        line += " until " + text_at(mode, "until") + ", then back to the configured mode";
    }
    if (name == "ECHO") {
        line += "  " + paint.red("callers hear themselves");
    } else if (name == "SINK") {
        line += "  " + paint.red("callers hear nothing");
    }
    return line;
}

std::string port_line(const Json& document, const Painter& paint) {
    const Json& port = part(document, "port");
    const std::string address = text_at(port, "address");
    const bool is_v6 = address.find(':') != std::string::npos;
    std::string line = (is_v6 ? "[" + address + "]" : address) + ":" + text_at(port, "port");
    const Json& ours = part(port, "ours");
    if (ours.is_boolean()) {
        line += ours.get<bool>() ? "  ours" : "  " + paint.red("NOT PROVED OURS");
        const bool tell = !ours.get<bool>() && part(port, "detail").is_string();
        line += tell ? ": " + text_at(port, "detail") : "";
    }
    return line;
}

std::string calls_line(const Json& document) {
    const Json& calls = part(document, "calls");
    return count_at(calls, "live") + " live of " + count_at(calls, "capacity") + ", " + count_at(calls, "served") +
           " served" +
           (number_at(calls, "poisoned").value_or(0) > 0 ? ", " + count_at(calls, "poisoned") + " poison" : "") +
           (number_at(calls, "lost").value_or(0) > 0 ? ", " + count_at(calls, "lost") + " lost" : "");
}

std::string last_exit(const Json& child) {
    const Json& exit = part(child, "last_exit");
    if (!exit.is_object()) {
        return "-";
    }
    constexpr std::size_t cause_bytes_max = 48;  // The whole is in --json and in the log.
    std::string cause = text_at(exit, "cause");
    if (cause.size() > cause_bytes_max) {
        cause = cause.substr(0, cause_bytes_max) + "...";
    }
    const auto lived = number_at(exit, "lived_ms");
    return cause + (lived ? " after " + human_duration(*lived / 1000) : "");
}

// During a rolling restart a slot has two processes for a while.
std::string slot_name(const Json& worker) {
    const std::string role = text_at(worker, "role");
    return text_at(worker, "slot") + (role == "successor" ? " new" : role == "outgoing" ? " old" : "");
}

std::vector<std::string> child_row(const Json& child, const std::string& slot, const Painter& paint) {
    const auto rss = number_at(child, "rss_kb");
    const auto beat = number_at(child, "heartbeat_ms");
    const auto pid = number_at(child, "pid");
    return {slot,
            paint.state(text_at(child, "state")),
            pid && *pid > 0 ? std::to_string(*pid) : "-",
            duration_at(child, "uptime_seconds"),
            count_at(child, "calls"),
            count_at(child, "calls_served"),
            count_at(child, "requests"),
            count_at(child, "restarts"),
            beat && *beat >= 0 ? std::to_string(*beat) + " ms" : "-",
            rss && *rss > 0 ? human_bytes(static_cast<std::uint64_t>(*rss) * 1024) : "-",
            last_exit(child)};
}

std::string child_table(const Json& document, const TextStyle& style, const Painter& paint) {
    const std::vector<TextColumn> columns = {
        {"SLOT", 0, false}, {"STATE", 0, false}, {"PID", 9, true},        {"UP", 8, true},
        {"CALLS", 7, true}, {"SERVED", 3, true}, {"REQUESTS", 2, true},   {"RESTARTS", 6, true},
        {"BEAT", 1, true},  {"MEMORY", 4, true}, {"LAST EXIT", 5, false},
    };
    std::vector<std::vector<std::string>> rows;
    const Json& workers = part(document, "workers");
    for (const Json& worker : workers.is_array() ? workers : Json::array()) {
        rows.push_back(child_row(worker, slot_name(worker), paint));
    }
    for (const char* helper : {"bridge", "speech"}) {
        if (part(document, helper).is_object()) {
            rows.push_back(child_row(part(document, helper), helper, paint));
        }
    }
    std::string text;
    const auto lines = render_table(columns, rows, style.width);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        text += (i == 0 ? paint.dim(lines[i]) : lines[i]) + "\n";
    }
    for (const char* helper : {"bridge", "speech"}) {
        if (part(part(document, helper), "detail").is_string()) {
            text +=
                wrap_text(text_at(part(document, helper), "detail"), helper + std::string(": "), style.width) + "\n";
        }
    }
    return text;
}

std::string problem_list(const Json& document, const TextStyle& style, const Painter& paint) {
    const Json& problems = part(document, "problems");
    if (!problems.is_array() || problems.empty()) {
        return {};
    }
    std::string text = "\n" + paint.red("problems") + "\n";
    for (const Json& problem : problems) {
        text += wrap_text(text_at(problem, "cause"), "  ", style.width) + "\n";
        if (part(problem, "remedy").is_string()) {
            text += wrap_text(text_at(problem, "remedy"), "    -> ", style.width) + "\n";
        }
    }
    return text;
}

}  // namespace

std::string render_status(const nlohmann::json& document, const TextStyle& style) {
    const Painter paint(style.colour);
    const auto line = [&](std::string_view label, const std::string& text) {
        return wrap_text(text, label, style.width) + "\n";
    };
    return wrap_text(head_line(document, paint), "", style.width) + "\n" +
           line("up     ", duration_at(document, "uptime_seconds") + ", pid " + text_at(document, "pid")) +
           line("mode   ", mode_line(document, paint)) + line("port   ", port_line(document, paint)) +
           line("calls  ", calls_line(document)) + "\n" + child_table(document, style, paint) +
           problem_list(document, style, paint);
}

}  // namespace agentlocator
