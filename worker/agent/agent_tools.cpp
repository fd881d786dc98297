#include "worker/agent/agent_tools.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "worker/agent/spoken_text.hpp"

namespace agentlocator {
namespace {

using nlohmann::json;
using Effect = ToolOutcome::Effect;

constexpr std::string_view lead_fields[] = {"intent", "property_type", "area",  "rooms", "budget",
                                            "timing", "name",          "phone", "notes"};

json text_field(const char* what) {
    return {{"type", "string"}, {"description", what}};
}

std::string schema(json properties, json required) {
    return json{{"type", "object"},
                {"properties", std::move(properties)},
                {"required", std::move(required)},
                {"additionalProperties", false}}
        .dump();
}

std::string problem(const std::string& what) {
    return json{{"ok", false}, {"error", what}}.dump(-1, ' ', false, json::error_handler_t::replace);
}

// One argument as text; models send numbers where text was asked for and the other way round.
std::string argument_text(const json& value) {
    if (value.is_string()) {
        return std::string(trim(value.get_ref<const std::string&>()));
    }
    return value.is_number() ? value.dump() : std::string();
}

// Error text, or empty with the slots filled.
std::string read_lead(const json& arguments, const ToolContext& context, LeadSlots& slots) {
    for (const auto& [name, value] : arguments.items()) {
        if (std::find(std::begin(lead_fields), std::end(lead_fields), name) == std::end(lead_fields)) {
            return "unknown field " + std::string(cut_utf8(name, 40));
        }
        if (value.is_null()) {
            continue;
        }
        std::string text = argument_text(value);
        if (text.size() > tool_text_max) {
            return name + " is longer than " + std::to_string(tool_text_max) + " bytes";
        }
        if (text.empty()) {
            if (!value.is_string()) {
                return name + " is neither text nor number";
            }
            continue;
        }
        if (name == "phone") {
            text = normalise_phone(text);
            if (text.empty()) {
                return "phone is no telephone number; ask the caller for it again";
            }
        }
        slots.insert_or_assign(name, std::move(text));
    }
    if (!slots.contains("phone")) {
        if (context.caller.empty()) {
            return "phone is missing and the caller's number is withheld; ask for it";
        }
        slots.insert_or_assign("phone", context.caller);
    }
    return {};
}

// "2026-11-22T10:30", with seconds, Z or +02:00 if the model likes; without a zone it is the office's time.
std::optional<std::int64_t> read_time(const std::string& text, std::int64_t utc_offset_minutes) {
    int year = 0;
    int month = 0;
    int day = 0;
    int hour = 0;
    int minute = 0;
    int used = 0;
    if (std::sscanf(text.c_str(), "%4d-%2d-%2d%*1[T ]%2d:%2d%n", &year, &month, &day, &hour, &minute, &used) != 5) {
        return std::nullopt;
    }
    std::string_view zone = std::string_view(text).substr(static_cast<std::size_t>(used));
    if (zone.starts_with(':')) {
        const auto end = zone.find_first_of("Z+-");
        zone = end == std::string_view::npos ? std::string_view{} : zone.substr(end);
    }
    std::int64_t offset = utc_offset_minutes;
    if (zone == "Z") {
        offset = 0;
    } else if (!zone.empty()) {
        int hours = 0;
        int minutes = 0;
        const std::string digits(zone.substr(1));
        if ((zone[0] != '+' && zone[0] != '-') || std::sscanf(digits.c_str(), "%2d:%2d", &hours, &minutes) != 2) {
            return std::nullopt;
        }
        offset = (zone[0] == '-' ? -1 : 1) * (hours * 60 + minutes);
    }
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (!date.ok() || hour > 23 || minute > 59 || hour < 0 || minute < 0) {
        return std::nullopt;
    }
    const std::int64_t minutes =
        std::chrono::sys_days(date).time_since_epoch().count() * 1440LL + hour * 60 + minute - offset;
    return minutes * 60'000;
}

ToolOutcome book_meeting(const json& arguments, const ToolContext& context) {
    constexpr std::int64_t day_ms = 86'400'000;
    ToolOutcome outcome;
    const auto at = arguments.find("starts_at");
    const auto starts =
        at == arguments.end() ? std::nullopt : read_time(argument_text(*at), context.utc_offset_minutes);
    json rest = arguments;
    rest.erase("starts_at");
    rest.erase("minutes");
    if (!starts) {
        outcome.result = problem("starts_at must be like 2026-11-22T10:30");
    } else if (*starts <= context.now_ms) {
        outcome.result = problem("starts_at is in the past; offer another time");
    } else if (*starts > context.now_ms + 366 * day_ms) {
        outcome.result = problem("starts_at is more than a year ahead");
    } else if (const std::string wrong = read_lead(rest, context, outcome.slots); !wrong.empty()) {
        outcome.result = problem(wrong);
    } else {
        std::int64_t minutes = 60;
        if (const auto length = arguments.find("minutes"); length != arguments.end() && length->is_number_integer()) {
            minutes = std::clamp<std::int64_t>(length->get<std::int64_t>(), 15, 240);
        }
        outcome.effect = Effect::book_meeting;
        outcome.starts_at = *starts;
        outcome.ends_at = *starts + minutes * 60'000;
        outcome.result = json{{"ok", true}, {"booked", true}}.dump();
    }
    return outcome;
}

std::string reason_of(const json& arguments) {
    const auto found = arguments.find("reason");
    return found == arguments.end() ? std::string() : std::string(cut_utf8(argument_text(*found), 200));
}

}  // namespace

std::vector<ToolSpec> tool_specs(bool can_transfer) {
    const json lead = {{"intent", text_field("buy, rent, sell or other")},
                       {"property_type", text_field("apartment, house, business or land")},
                       {"area", text_field("city or neighbourhood")},
                       {"rooms", text_field("number of rooms")},
                       {"budget", text_field("in shekels; monthly for a rent")},
                       {"timing", text_field("when they want to move")},
                       {"name", text_field("the caller's name")},
                       {"phone", text_field("number to call back; default: the caller's")},
                       {"notes", text_field("anything else that matters")}};
    const json meeting = {{"starts_at", text_field("local time, like 2026-11-22T10:30")},
                          {"minutes", {{"type", "integer"}, {"description", "length, default 60"}}},
                          {"name", text_field("the caller's name")},
                          {"phone", text_field("default: the caller's number")},
                          {"notes", text_field("what it is about")}};
    const json reason = {{"reason", text_field("in a few words")}};
    std::vector<ToolSpec> specs = {
        {"save_lead", "Store what is known of the caller's wish. Call again when more is known.",
         schema(lead, json::array())},
        {"book_meeting", "Book a meeting the caller agreed to.", schema(meeting, json::array({"starts_at"}))},
        {"hang_up", "End the call, after you said goodbye.", schema(reason, json::array())}};
    if (can_transfer) {
        specs.push_back({"transfer_to_human",
                         "Put the caller through to a person, when asked for or when you cannot help.",
                         schema(reason, json::array())});
    }
    return specs;
}

ToolOutcome run_tool(const ToolCall& call, const ToolContext& context) {
    ToolOutcome outcome;
    const json arguments = call.arguments.empty() ? json::object() : json::parse(call.arguments, nullptr, false);
    if (arguments.is_discarded() || !arguments.is_object()) {
        outcome.result = problem("the arguments are not a JSON object");
        return outcome;
    }
    if (call.name == "save_lead") {
        const std::string wrong = read_lead(arguments, context, outcome.slots);
        outcome.effect = wrong.empty() ? Effect::save_lead : Effect::none;
        outcome.result = wrong.empty() ? json{{"ok", true}, {"saved", true}}.dump() : problem(wrong);
    } else if (call.name == "book_meeting") {
        return book_meeting(arguments, context);
    } else if (call.name == "hang_up") {
        outcome.effect = Effect::hang_up;
        outcome.reason = reason_of(arguments);
        outcome.result = json{{"ok", true}}.dump();
    } else if (call.name == "transfer_to_human" && context.can_transfer) {
        outcome.effect = Effect::transfer;
        outcome.reason = reason_of(arguments);
        outcome.result = json{{"ok", true}}.dump();
    } else if (call.name == "transfer_to_human") {
        outcome.result = problem("nobody can take the call over now; offer to take a message");
    } else {
        std::string known;
        for (const ToolSpec& spec : tool_specs(context.can_transfer)) {
            known += (known.empty() ? "" : ", ") + spec.name;
        }
        outcome.result = problem("there is no tool " + std::string(cut_utf8(call.name, 60)) + "; there are: " + known +
                                 ". Go on without it.");
    }
    return outcome;
}

LeadFact lead_of(const LeadSlots& slots, const std::string& caller) {
    LeadFact fact{.phone = caller};
    json details = json::object();
    for (const auto& [name, value] : slots) {
        if (name == "phone") {
            fact.phone = value;
        } else if (name == "name") {
            fact.name = value;
        } else if (name == "notes") {
            fact.notes = value;
        } else {
            details[name] = value;
        }
    }
    fact.details = details.dump(-1, ' ', false, json::error_handler_t::replace);
    return fact;
}

}  // namespace agentlocator
