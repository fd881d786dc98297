#include "worker/agent/text_agent.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "worker/agent/agent_texts.hpp"
#include "worker/agent/known_person.hpp"
#include "worker/agent/spoken_text.hpp"

namespace agentlocator {
namespace {

using nlohmann::json;

struct Text {
    std::string_view he;
    std::string_view en;
    [[nodiscard]] std::string_view in(Language language) const { return language == Language::hebrew ? he : en; }
};
constexpr Text no_listening = {"כאן אני לא יכולה לשמוע הודעות קוליות. אפשר לכתוב לי במילים?",
                               "I cannot listen to voice messages here. Could you write it as text?"};
constexpr Text only_text = {"תודה, קיבלתי. כאן אני קוראת רק טקסט: אפשר לכתוב לי במילים במה לעזור?",
                            "Thank you, I have it. I can only read text here: could you write to me how I can help?"};
constexpr Text write_again = {"לא הבנתי. אפשר לכתוב שוב?", "I did not understand that. Could you write it again?"};
constexpr Text farewell = {"תודה, ולהתראות.", "Thank you, and goodbye."};
constexpr Text taken = {"תודה, הפרטים אצלנו. נציג יחזור אליכם בהקדם.",
                        "Thank you, we have your details. Somebody will get back to you soon."};

constexpr const char* asked_at = "asked_for_text_at";  // In the state: Unix ms.

constexpr std::string_view writing_prompt =
    "\nYou are not on the telephone now but write with them on WhatsApp: answer in one short message. Earlier lines "
    "may come from a telephone call with the same person. hang_up ends the conversation.";

std::string dump(const json& document) {
    return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

// A key press of the telephone, as it is typed.
bool is_keys(std::string_view text) {
    constexpr std::size_t keys_max = 20;
    return !text.empty() && text.size() <= keys_max && text.find_first_not_of("0123456789*#") == std::string_view::npos;
}

// Digits alone are what the questions ask to press: one key, or a number that is keyed in. Else they are text.
DialogueReply reply_to(Dialogue& dialogue, const std::string& text) {
    if (!is_keys(text)) {
        return dialogue.on_text(text);
    }
    Dialogue pressed = dialogue;
    DialogueReply reply = pressed.on_key(text.front());
    if (text.size() > 1 && !pressed.key_pause()) {
        return dialogue.on_text(text);
    }
    for (const char key : std::string_view(text).substr(1)) {
        if (!pressed.key_pause()) {
            break;  // As many as were wanted.
        }
        reply = pressed.on_key(key);
    }
    if (pressed.key_pause()) {
        reply = pressed.on_key_pause();
    }
    dialogue = std::move(pressed);
    return reply;
}

// In which somebody wrote last; the agent's own where he wrote nothing yet.
Language language_of_person(const std::vector<ChatMessage>& before, Language otherwise) {
    for (auto message = before.rbegin(); message != before.rend(); ++message) {
        std::string_view rest = message->content;
        if (message->role != ChatMessage::Role::user || rest.starts_with('[')) {  // "[picture]" is ours.
            continue;
        }
        while (!rest.empty()) {
            const char32_t c = take_code_point(rest);
            if (is_letter(c)) {
                return is_hebrew_letter(c) ? Language::hebrew : Language::english;
            }
        }
    }
    return otherwise;
}

std::string_view cut_characters(std::string_view text, std::size_t characters) {
    std::string_view rest = text;
    for (std::size_t i = 0; i < characters && !rest.empty(); ++i) {
        static_cast<void>(take_code_point(rest));
    }
    return text.substr(0, text.size() - rest.size());
}

}  // namespace

std::string written_text(std::string_view text) {
    constexpr char32_t first_point = 0x0591;  // Unicode: Hebrew points and cantillation marks, U+0591 to U+05C7 ...
    constexpr char32_t last_point = 0x05C7;
    constexpr char32_t hyphen = 0x05BE;  // ... among which are marks that are written: maqaf, paseq, sof pasuq.
    constexpr char32_t bar = 0x05C0;
    constexpr char32_t colon = 0x05C3;
    std::string out;
    while (!text.empty()) {
        const char32_t c = take_code_point(text);
        if (c < first_point || c > last_point || c == hyphen || c == bar || c == colon) {
            append_code_point(out, c);
        }
    }
    return out;
}

TextAgent::TextAgent(AgentServices& services, TextQuestion question, std::function<void()> wake, PersonaPtr persona)
    : services_(services),
      persona_(persona ? std::move(persona) : make_persona(services.settings, services.prompt, {})),
      question_(std::move(question)),
      mailbox_(std::move(wake)),
      language_(language_of(persona_->settings.language)),
      slots_(slots_of(question_.lead)) {
    answer_.state = question_.state;
}

std::optional<TimePoint> TextAgent::deadline() const {
    return thinking_ ? thinking_->deadline() : std::nullopt;
}

void TextAgent::run(TimePoint now) {
    if (!std::exchange(started_, true)) {
        start(now);
    }
    for (const ServiceEvent& event : mailbox_.take()) {
        if (thinking_) {
            static_cast<void>(thinking_->on_event(event, now));
        }
    }
    if (thinking_) {
        thinking_->on_time(now);
        settle_model(now);
    }
}

void TextAgent::start(TimePoint now) {
    if (question_.text.empty()) {
        return ask_for_text();
    }
    if (json state = json::parse(question_.state, nullptr, false); state.is_object() && state.erase(asked_at) > 0) {
        answer_.state = dump(state);
    }
    if (services_.llm.empty() || question_.attempts > model_attempts_max) {
        return answer_by_script();
    }
    ChatMessage system;
    system.role = ChatMessage::Role::system;
    system.content =
        system_prompt(*persona_, services_.host, language_, question_.phone, services_.host.unix_ms(), false);
    system.content += writing_prompt;
    system.content += known_slots_prompt(slots_);
    messages_.push_back(std::move(system));
    messages_.insert(messages_.end(), question_.before.begin(), question_.before.end());
    ChatMessage user;
    user.content = question_.text;
    messages_.push_back(std::move(user));
    ask_model(now);
}

void TextAgent::ask_for_text() {
    const std::int64_t now_ms = services_.host.unix_ms();
    json state = json::parse(question_.state, nullptr, false);
    if (!state.is_object()) {
        state = json{{"v", 1}};
    }
    const auto before = state.find(asked_at);
    if (before != state.end() && before->is_number_integer() &&
        now_ms - before->get<std::int64_t>() < asked_for_text_ms) {
        state_ = State::done;
        return;
    }
    state[asked_at] = now_ms;
    answer_.state = dump(state);
    const bool sound = question_.kind == "voice" || question_.kind == "audio";
    const Language language = language_of_person(question_.before, language_);
    finish(std::string((sound ? no_listening : only_text).in(language)), AnsweredBy::sentence);
}

void TextAgent::ask_model(TimePoint now) {
    LlmRequest request;
    request.messages = messages_;
    request.tools = tool_specs(false);
    request.cache_key = question_.person;
    thinking_ = std::make_unique<Thinking>(services_, mailbox_, std::move(request), now);
}

void TextAgent::settle_model(TimePoint now) {
    while (auto sentence = thinking_->next_sentence()) {
        said_ += (said_.empty() ? "" : " ") + *sentence;
    }
    switch (thinking_->state()) {
        case Thinking::State::running:
            return;
        case Thinking::State::failed:
            thinking_.reset();
            state_ = State::failed;
            return;
        case Thinking::State::finished:
            break;
    }
    if (!thinking_->tools().empty()) {
        return run_tools(now);
    }
    thinking_.reset();
    finish(said_, AnsweredBy::model);
}

void TextAgent::run_tools(TimePoint now) {
    ToolContext context;
    context.caller = question_.phone;
    context.now_ms = services_.host.unix_ms();
    context.utc_offset_minutes = services_.host.utc_offset_minutes(context.now_ms);
    ChatMessage asked;
    asked.role = ChatMessage::Role::assistant;
    asked.content = said_;
    asked.tool_calls = thinking_->tools();
    thinking_.reset();
    messages_.push_back(asked);
    bool ends = false;
    for (const ToolCall& call : asked.tool_calls) {
        ToolOutcome outcome = run_tool(call, context);
        for (const auto& [name, value] : outcome.slots) {
            slots_.insert_or_assign(name, value);
        }
        if (outcome.effect == ToolOutcome::Effect::save_lead || outcome.effect == ToolOutcome::Effect::book_meeting) {
            answer_.leads.push_back(lead_of(slots_, question_.phone));
        }
        if (outcome.effect == ToolOutcome::Effect::book_meeting) {
            const LeadFact about = lead_of(outcome.slots, question_.phone);
            answer_.booked.push_back({.phone = about.phone,
                                      .title = about.name,
                                      .notes = about.notes,
                                      .status = "booked",
                                      .starts_at = outcome.starts_at,
                                      .ends_at = outcome.ends_at});
        }
        ends = ends || outcome.effect == ToolOutcome::Effect::hang_up;
        ChatMessage result;
        result.role = ChatMessage::Role::tool;
        result.tool_call_id = call.id;
        result.content = std::move(outcome.result);
        messages_.push_back(std::move(result));
    }
    if (ends) {
        return finish(said_.empty() ? std::string(farewell.in(language_)) : said_, AnsweredBy::model);
    }
    if (++tool_rounds_ > tool_rounds_max) {
        return finish(said_, AnsweredBy::model);
    }
    ask_model(now);
}

Dialogue TextAgent::make_dialogue() const {
    DialogueCaller caller;
    caller.language = language_;
    caller.number = question_.phone;
    caller.business_name = persona_->settings.business_name;
    const std::string& own =
        language_ == Language::hebrew ? persona_->settings.greeting_he : persona_->settings.greeting_en;
    caller.greeting = own.empty() || own == "none" ? "" : greeting_text(persona_->settings, language_);
    caller.hears = caller.understands = true;
    return {services_.dialogue, std::move(caller)};
}

void TextAgent::apply(const DialogueReply& reply, const Dialogue& dialogue, std::string& said) {
    for (const std::string& sentence : reply.say) {
        said += (said.empty() ? "" : "\n") + written_text(sentence);
    }
    if (reply.save) {
        slots_ = dialogue.slots();
        answer_.leads.push_back(lead_of(slots_, question_.phone));
    }
}

// Its state: {"v":1,"dialogue":{...}} while it asks, {"v":1,"taken_at":ms} once it has a lead, nothing when it gave up.
void TextAgent::answer_by_script() {
    const std::int64_t now_ms = services_.host.unix_ms();
    const json before = json::parse(question_.state, nullptr, false);
    const bool known = before.is_object() && before.contains("v") && before["v"] == 1;
    if (known && before.contains("taken_at") && before["taken_at"].is_number_integer() &&
        now_ms - before["taken_at"].get<std::int64_t>() < taken_ms) {
        return finish(std::string(taken.in(language_)), AnsweredBy::script);
    }
    Dialogue dialogue = make_dialogue();
    dialogue.know(slots_);
    std::string said;
    std::string state;
    const auto take = [&](const DialogueReply& reply) {
        apply(reply, dialogue, said);
        if (reply.then == DialogueReply::Then::listen) {
            state = dump(json{{"v", 1}, {"dialogue", dialogue.save()}});
        } else if (reply.save) {
            state = dump(json{{"v", 1}, {"taken_at", now_ms}});
        }
    };
    if (known && before.contains("dialogue")) {
        dialogue.restore(before["dialogue"]);
        take(reply_to(dialogue, question_.text));
    } else {
        const DialogueReply opening = dialogue.open();
        // Who says at once what he wants is not asked for it.
        Dialogue answered = dialogue;
        const DialogueReply reply = answered.on_text(question_.text);
        if (answered.slots().empty()) {
            take(opening);
        } else {
            said = opening.say.empty() ? std::string() : written_text(opening.say.front());
            dialogue = std::move(answered);
            take(reply);
        }
    }
    answer_.state = std::move(state);
    finish(std::move(said), AnsweredBy::script);
}

void TextAgent::finish(std::string text, AnsweredBy by) {
    answer_.by = by;
    answer_.text = std::string(cut_characters(text, answer_characters_max));
    if (answer_.text.empty()) {
        answer_.text = write_again.in(language_);
    }
    state_ = State::done;
}

}  // namespace agentlocator
