#include "worker/agent/call_history.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "worker/agent/spoken_text.hpp"

namespace agentlocator {

using Kind = HistoryItem::Kind;

bool operator==(const HistoryItem& a, const HistoryItem& b) {
    const auto same_call = [](const ToolCall& x, const ToolCall& y) {
        return x.id == y.id && x.name == y.name && x.arguments == y.arguments;
    };
    return a.kind == b.kind && a.turn == b.turn && a.sentence == b.sentence && a.text == b.text && a.ms == b.ms &&
           a.heard == b.heard && a.call_id == b.call_id && a.tools.size() == b.tools.size() &&
           std::equal(a.tools.begin(), a.tools.end(), b.tools.begin(), same_call);
}

void CallHistory::add(HistoryItem item) {
    items_.push_back(std::move(item));
    trim();
}

void CallHistory::trim() {
    while (items_.size() > items_max) {
        drop_oldest();
    }
}

void CallHistory::drop_oldest() {
    if (items_.empty()) {
        return;
    }
    items_.erase(items_.begin());
    // A model refuses a tool's result whose call it was not shown.
    while (!items_.empty() && items_.front().kind == Kind::tool_result) {
        items_.erase(items_.begin());
    }
}

void CallHistory::add_caller(std::uint32_t turn, std::string text) {
    auto place = items_.end();
    while (place != items_.begin() && std::prev(place)->turn >= turn && std::prev(place)->kind != Kind::caller) {
        --place;
    }
    items_.insert(place, {.kind = Kind::caller, .turn = turn, .text = std::move(text)});
    trim();
}

void CallHistory::add_sentence(std::uint32_t turn, std::uint32_t sentence, std::string text) {
    add({.kind = Kind::agent, .turn = turn, .sentence = sentence, .text = std::move(text)});
}

void CallHistory::add_tools(std::uint32_t turn, std::vector<ToolCall> tools) {
    add({.kind = Kind::tool_calls, .turn = turn, .tools = std::move(tools)});
}

void CallHistory::add_tool_result(std::uint32_t turn, std::string call_id, std::string json) {
    add({.kind = Kind::tool_result, .turn = turn, .text = std::move(json), .call_id = std::move(call_id)});
}

HistoryItem* CallHistory::find(std::uint32_t turn, std::uint32_t sentence) {
    const auto found = std::find_if(items_.rbegin(), items_.rend(), [&](const HistoryItem& item) {
        return item.kind == Kind::agent && item.turn == turn && item.sentence == sentence;
    });
    return found == items_.rend() ? nullptr : &*found;
}

void CallHistory::synthesised(std::uint32_t turn, std::uint32_t sentence, std::string_view text, std::int64_t ms) {
    if (HistoryItem* item = find(turn, sentence)) {
        item->ms = ms;
        item->text = text;
    }
}

void CallHistory::heard(std::uint32_t turn, std::uint32_t sentence) {
    if (HistoryItem* item = find(turn, sentence)) {
        item->heard = true;
    }
}

void CallHistory::interrupted(std::uint32_t turn, std::uint32_t sentence, std::int64_t heard_ms) {
    for (HistoryItem& item : items_) {
        if (item.kind == Kind::agent && item.turn == turn && item.sentence < sentence) {
            item.heard = true;  // Its mark was cleared along, but it was played before this one.
        }
    }
    drop_sentences_from(turn, sentence + 1);
    if (HistoryItem* item = find(turn, sentence)) {
        const std::int64_t whole = item->ms > 0 ? item->ms : estimated_speech_ms(item->text);
        item->text = std::string(heard_part(item->text, heard_ms, whole));
        item->ms = std::min(item->ms, heard_ms);
        item->heard = true;
        if (item->text.empty()) {
            drop_sentences_from(turn, sentence);
        }
    }
}

void CallHistory::drop_unheard() {
    std::erase_if(items_, [](const HistoryItem& item) { return item.kind == Kind::agent && !item.heard; });
}

void CallHistory::drop_sentences_from(std::uint32_t turn, std::uint32_t sentence) {
    std::erase_if(items_, [&](const HistoryItem& item) {
        return item.kind == Kind::agent && item.turn == turn && item.sentence >= sentence;
    });
}

std::vector<HistoryItem> CallHistory::sentences_from(std::uint32_t turn, std::uint32_t sentence) const {
    std::vector<HistoryItem> out;
    for (const HistoryItem& item : items_) {
        if (item.kind == Kind::agent && item.turn == turn && item.sentence >= sentence) {
            out.push_back(item);
        }
    }
    return out;
}

std::string CallHistory::said_in(std::uint32_t turn) const {
    std::string text;
    for (const HistoryItem& item : sentences_from(turn, 0)) {
        text += (text.empty() ? "" : " ") + item.text;
    }
    return text;
}

bool CallHistory::has_caller(std::uint32_t turn) const {
    return std::any_of(items_.begin(), items_.end(),
                       [&](const HistoryItem& item) { return item.kind == Kind::caller && item.turn == turn; });
}

std::vector<ChatMessage> CallHistory::messages(std::string_view system) const {
    using Role = ChatMessage::Role;
    std::vector<ChatMessage> out;
    out.push_back({.role = Role::system, .content = std::string(system), .tool_calls = {}, .tool_call_id = {}});
    for (const HistoryItem& item : items_) {
        const bool same_role =
            out.back().tool_calls.empty() && ((item.kind == Kind::agent && out.back().role == Role::assistant) ||
                                              (item.kind == Kind::caller && out.back().role == Role::user));
        if (same_role) {
            out.back().content += " " + item.text;
            continue;
        }
        switch (item.kind) {
            case Kind::caller:
                out.push_back({.role = Role::user, .content = item.text, .tool_calls = {}, .tool_call_id = {}});
                break;
            case Kind::agent:
                out.push_back({.role = Role::assistant, .content = item.text, .tool_calls = {}, .tool_call_id = {}});
                break;
            case Kind::tool_calls:
                out.push_back({.role = Role::assistant, .content = {}, .tool_calls = item.tools, .tool_call_id = {}});
                break;
            case Kind::tool_result:
                out.push_back(
                    {.role = Role::tool, .content = item.text, .tool_calls = {}, .tool_call_id = item.call_id});
                break;
        }
    }
    return out;
}

nlohmann::json CallHistory::save() const {
    nlohmann::json list = nlohmann::json::array();
    for (const HistoryItem& item : items_) {
        nlohmann::json entry = {{"k", static_cast<int>(item.kind)}, {"n", item.turn}};
        if (!item.text.empty()) {
            entry["t"] = item.text;
        }
        if (item.kind == Kind::agent) {
            entry["s"] = item.sentence;
            entry["ms"] = item.ms;
            entry["h"] = item.heard;
        }
        if (!item.call_id.empty()) {
            entry["id"] = item.call_id;
        }
        for (const ToolCall& call : item.tools) {
            entry["calls"].push_back({{"id", call.id}, {"name", call.name}, {"args", call.arguments}});
        }
        list.push_back(std::move(entry));
    }
    return list;
}

void CallHistory::restore(const nlohmann::json& state) {
    if (!state.is_array()) {
        return;
    }
    for (const auto& entry : state) {
        if (!entry.is_object()) {
            continue;
        }
        HistoryItem item;
        const auto text = [](const nlohmann::json& from, const char* name) {
            const auto found = from.find(name);
            return found != from.end() && found->is_string() ? found->get<std::string>() : std::string();
        };
        const auto number = [&](const char* name) -> std::int64_t {
            const auto found = entry.find(name);
            return found != entry.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
        };
        item.kind = static_cast<Kind>(std::clamp<std::int64_t>(number("k"), 0, 3));
        item.turn = static_cast<std::uint32_t>(number("n"));
        item.sentence = static_cast<std::uint32_t>(number("s"));
        item.ms = number("ms");
        const auto heard = entry.find("h");
        item.heard = heard != entry.end() && heard->is_boolean() && heard->get<bool>();
        item.text = text(entry, "t");
        item.call_id = text(entry, "id");
        if (const auto calls = entry.find("calls"); calls != entry.end() && calls->is_array()) {
            for (const auto& call : *calls) {
                if (call.is_object()) {
                    item.tools.push_back({text(call, "id"), text(call, "name"), text(call, "args")});
                }
            }
        }
        add(std::move(item));
    }
}

}  // namespace agentlocator
