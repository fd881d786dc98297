#include "supervisor/child_record.hpp"

#include <nlohmann/json.hpp>
#include <optional>

namespace agentlocator {
namespace {

using Json = nlohmann::json;

constexpr int format_version = 1;

template <class T>
std::optional<T> member(const Json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end()) {
        return std::nullopt;
    }
    if constexpr (std::is_same_v<T, std::string>) {
        return found->is_string() ? std::optional<T>(found->get<std::string>()) : std::nullopt;
    } else {
        // A number that does not fit would wrap into somebody else's pid.
        return found->is_number_unsigned() && found->get<std::uint64_t>() <= std::uint64_t{INT64_MAX}
                   ? std::optional<T>(found->get<T>())
                   : std::nullopt;
    }
}

constexpr std::size_t crashes_max = 1000;  // CRASH_LIMIT allows no more.

// What is missing or odd here costs history, never a process its life.
void read_history(const Json& child, ChildRecord& record) {
    const auto number = [&](const char* key, auto& target) {
        using Number = std::remove_reference_t<decltype(target)>;
        if (const auto found = member<std::uint64_t>(child, key); found && *found <= std::uint64_t{UINT32_MAX}) {
            target = static_cast<Number>(*found);
        }
    };
    number("spawns", record.spawns);
    number("level", record.level);
    record.serial = member<std::uint64_t>(child, "serial").value_or(0);
    record.spawned_ns = member<std::int64_t>(child, "spawned_ns").value_or(0);
    record.made_for = member<std::string>(child, "made_for").value_or("");
    const auto crashes = child.find("crashes");
    if (crashes == child.end() || !crashes->is_array() || crashes->size() > crashes_max) {
        return;
    }
    for (const Json& crash : *crashes) {
        if (crash.is_number_integer()) {
            record.crashes.push_back(crash.get<std::int64_t>());
        }
    }
}

}  // namespace

std::string encode_child_records(const ChildRecords& records) {
    Json children = Json::array();
    for (const ChildRecord& child : records.children) {
        children.push_back({{"slot", child.slot},
                            {"pid", child.pid},
                            {"start_ticks", child.start_ticks},
                            {"serial", child.serial},
                            {"spawned_ns", child.spawned_ns},
                            {"spawns", child.spawns},
                            {"level", child.level},
                            {"crashes", child.crashes},
                            {"made_for", child.made_for}});
    }
    const Json document = {
        {"format", format_version},
        {"instance", records.instance},
        {"boot_id", records.boot_id},
        {"supervisor", {{"pid", records.supervisor_pid}, {"start_ticks", records.supervisor_start_ticks}}},
        {"children", children}};
    return document.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<ChildRecords> parse_child_records(std::string_view text) {
    const auto bad = [](const char* what) { return error(Errc::bad_message, std::string("child records: ") + what); };
    const Json document = Json::parse(text, nullptr, false);
    if (document.is_discarded() || !document.is_object()) {
        return bad("not a JSON object");
    }
    if (member<std::int64_t>(document, "format") != format_version) {
        return bad("unknown format");
    }
    const auto supervisor = document.find("supervisor");
    const auto children = document.find("children");
    if (supervisor == document.end() || !supervisor->is_object() || children == document.end() ||
        !children->is_array()) {
        return bad("supervisor or children missing");
    }
    const auto instance = member<std::string>(document, "instance");
    const auto boot_id = member<std::string>(document, "boot_id");
    const auto pid = member<std::int64_t>(*supervisor, "pid");
    const auto ticks = member<std::uint64_t>(*supervisor, "start_ticks");
    if (!instance || !boot_id || !pid || !ticks) {
        return bad("instance, boot_id or supervisor incomplete");
    }
    ChildRecords records{*instance, *boot_id, *pid, *ticks, {}};
    for (const Json& child : *children) {
        if (!child.is_object()) {
            return bad("a child is not an object");
        }
        const auto slot = member<std::string>(child, "slot");
        const auto child_pid = member<std::int64_t>(child, "pid");
        const auto child_ticks = member<std::uint64_t>(child, "start_ticks");
        // pid 0 and 1 would address a whole group or init.
        if (!slot || !child_pid || !child_ticks || *child_pid <= 1) {
            return bad("a child is incomplete");
        }
        ChildRecord record{*slot, *child_pid, *child_ticks};
        read_history(child, record);
        records.children.push_back(std::move(record));
    }
    return records;
}

}  // namespace agentlocator
