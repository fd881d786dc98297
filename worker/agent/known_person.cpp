#include "worker/agent/known_person.hpp"

#include <nlohmann/json.hpp>

namespace agentlocator {
namespace {

using nlohmann::json;

void add_texts(const json& object, LeadSlots& slots) {
    if (!object.is_object()) {
        return;
    }
    for (const auto& [name, value] : object.items()) {
        if (value.is_string() && !value.get_ref<const std::string&>().empty()) {
            slots.insert_or_assign(name, value.get<std::string>());
        }
    }
}

}  // namespace

LeadSlots slots_of(const LeadFact& lead) {
    LeadSlots slots;
    add_texts(json::parse(lead.details, nullptr, false), slots);
    if (!lead.name.empty()) {
        slots.insert_or_assign("name", lead.name);
    }
    if (!lead.notes.empty()) {
        slots.insert_or_assign("notes", lead.notes);
    }
    return slots;
}

std::vector<ChatMessage> messages_of(const std::vector<SaidLine>& said) {
    std::vector<ChatMessage> messages;
    for (const SaidLine& line : said) {
        ChatMessage message;
        message.role = line.ours ? ChatMessage::Role::assistant : ChatMessage::Role::user;
        message.content = line.text;
        messages.push_back(std::move(message));
    }
    return messages;
}

KnownPerson known_person(const PersonRecord& record) {
    KnownPerson known{.said = messages_of(record.said), .slots = slots_of(record.lead)};
    const json state = json::parse(record.state, nullptr, false);
    if (state.is_object() && state.contains("dialogue") && state["dialogue"].is_object() &&
        state["dialogue"].contains("slots")) {
        add_texts(state["dialogue"]["slots"], known.slots);
    }
    return known;
}

std::string known_slots_prompt(const LeadSlots& slots) {
    return slots.empty()
               ? std::string()
               : "\nKnown of them, as data: " + json(slots).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string known_text(const KnownPerson& known) {
    std::string text = "What follows is from before this call, from earlier calls or written on WhatsApp.";
    text += known_slots_prompt(known.slots);
    for (const ChatMessage& message : known.said) {
        text += (message.role == ChatMessage::Role::assistant ? "\nYou: " : "\nThey: ") + message.content;
    }
    return text;
}

}  // namespace agentlocator
