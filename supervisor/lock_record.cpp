#include "supervisor/lock_record.hpp"

#include <nlohmann/json.hpp>

#include "common/log_line.hpp"
#include "common/text.hpp"

namespace agentlocator {
namespace {

std::string text_of(const nlohmann::json& json, const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

std::string encode_lock_record(const LockRecord& record) {
    const nlohmann::json json{{"pid", record.pid},
                              {"start_ticks", record.start_ticks},
                              {"boot_id", record.boot_id},
                              {"instance", record.instance},
                              {"executable", record.executable},
                              {"started_at", record.started_at},
                              {"control_socket", record.control_socket}};
    // A path may hold bytes that are not UTF-8; a record with a replacement character is better than none.
    return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::optional<LockRecord> parse_lock_record(std::string_view text) {
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object()) {
        return std::nullopt;
    }
    const auto pid = json.find("pid");
    const auto ticks = json.find("start_ticks");
    if (pid == json.end() || !pid->is_number_unsigned() || ticks == json.end() || !ticks->is_number_unsigned()) {
        return std::nullopt;
    }
    LockRecord record;
    constexpr std::uint64_t pid_max = 4'194'304;  // PID_MAX_LIMIT of Linux. 0 and negative numbers address groups.
    if (pid->get<std::uint64_t>() == 0 || pid->get<std::uint64_t>() > pid_max) {
        return std::nullopt;
    }
    record.pid = pid->get<std::int64_t>();
    record.start_ticks = ticks->get<std::uint64_t>();
    record.boot_id = text_of(json, "boot_id");
    record.instance = text_of(json, "instance");
    record.executable = text_of(json, "executable");
    record.started_at = text_of(json, "started_at");
    record.control_socket = text_of(json, "control_socket");
    return record;
}

bool is_lock_content(std::string_view text) {
    text = trim(text);
    return text.empty() || text.front() == '{' ||
           parse_integer(text).has_value();  // A bare pid: other launchers' habit.
}

std::string describe(const LockRecord& record) {
    std::string text = "pid " + std::to_string(record.pid);
    const auto add = [&](std::string_view label, const std::string& value) {
        if (!value.empty()) {
            text += std::string(label) + log_value(value);
        }
    };
    add(", ", record.executable);
    add(", since ", record.started_at);
    add(", control socket ", record.control_socket);
    return text;
}

}  // namespace agentlocator
