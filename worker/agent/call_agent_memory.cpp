// What is remembered: the memory that a take-over goes on from, and the facts for the store.
//
// {"v":1,"call":{"sid","from","to"},"mode":"model"|"script"|"realtime","taken":turn,"next":[turn,sentence],"history":[...],
//  "slots":{...},"dialogue":{...},"answer":{"turn","complete","after","reason","words"},"failures","reprompts","keys"}
// At most agent_payload_max bytes: the oldest of the history is left out first.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "worker/agent/agent_tools.hpp"
#include "worker/agent/call_agent.hpp"
#include "worker/agent/spoken_text.hpp"

namespace agentlocator {
namespace {

using nlohmann::json;

std::string dump(const json& document) {
    return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string CallAgent::memory() const {
    json document = {{"v", 1},
                     {"call", {{"sid", call_sid_}, {"from", from_}, {"to", to_}}},
                     {"mode", mode_ == Mode::model      ? "model"
                              : mode_ == Mode::realtime ? "realtime"
                                                        : "script"},
                     {"taken", taken_},
                     {"next", {numbered_turn_, next_sentence_}},
                     {"slots", slots_},
                     {"dialogue", dialogue_.save()},
                     {"failures", failures_},
                     {"reprompts", reprompts_},
                     {"keys", keys_}};
    if (answer_) {
        document["answer"] = {{"turn", answer_->turn},
                              {"complete", answer_->complete},
                              {"after", static_cast<int>(answer_->after)},
                              {"reason", answer_->reason},
                              {"words", answer_->words}};
    }
    CallHistory history = history_;
    document["history"] = history.save();
    std::string text = dump(document);
    while (text.size() > agent_payload_max && !history.empty()) {
        // A tenth at a time: each round writes the whole document.
        for (std::size_t i = history.items().size() / 10 + 1; i > 0; --i) {
            history.drop_oldest();
        }
        document["history"] = history.save();
        text = dump(document);
    }
    return text;
}

std::string CallAgent::called_number(std::string_view payload) {
    const json document = json::parse(payload, nullptr, false);
    const json* from = &document;
    if (document.is_object() && document.contains("call")) {  // A memory.
        from = &document["call"];
    }
    for (const char* name : {"to", "To", "called"}) {
        if (from->is_object() && from->contains(name) && (*from)[name].is_string()) {
            return (*from)[name].get<std::string>();
        }
    }
    return {};
}

void CallAgent::remember() {
    std::string text = memory();
    if (text.size() <= agent_payload_max) {
        outbox_.add(FromAgent::remember, turn_, 0, text);
    }
}

bool CallAgent::restore(std::string_view text, TimePoint now) {
    const json document = json::parse(text, nullptr, false);
    if (!document.is_object() || !document.contains("v") || document["v"] != 1) {
        return false;
    }
    const auto part = [&](const char* name) { return document.contains(name) ? document[name] : json(); };
    const auto number = [](const json& from, const char* name) -> std::uint32_t {
        return from.is_object() && from.contains(name) && from[name].is_number_unsigned()
                   ? from[name].get<std::uint32_t>()
                   : 0;
    };
    const auto word = [](const json& from, const char* name) {
        return from.is_object() && from.contains(name) && from[name].is_string() ? from[name].get<std::string>()
                                                                                 : std::string();
    };
    call_sid_ = word(part("call"), "sid");
    from_ = word(part("call"), "from");
    to_ = word(part("call"), "to");
    dialogue_ = make_dialogue();
    dialogue_.restore(part("dialogue"));
    taken_ = number(document, "taken");
    failures_ = static_cast<int>(number(document, "failures"));
    reprompts_ = static_cast<int>(number(document, "reprompts"));
    keys_ = word(document, "keys").substr(0, keys_max);
    history_.restore(part("history"));
    if (const json slots = part("slots"); slots.is_object()) {
        for (const auto& [name, value] : slots.items()) {
            if (value.is_string()) {
                slots_.insert_or_assign(name, value.get<std::string>());
            }
        }
    }
    const std::string mode = word(document, "mode");
    if (mode == "realtime") {
        choose_mode(now);
    } else {
        mode_ = mode == "model" && !services_.llm.empty() && understands() ? Mode::model : Mode::script;
    }
    if (mode_ == Mode::script) {
        dialogue_.set_slots(slots_);
    }
    ask_who_calls();
    if (const json next = part("next");
        next.is_array() && next.size() == 2 && next[0].is_number_unsigned() && next[1].is_number_unsigned()) {
        numbered_turn_ = next[0].get<std::uint32_t>();
        next_sentence_ = next[1].get<std::uint32_t>();
    }
    if (const json answer = part("answer"); answer.is_object()) {
        answer_.emplace();
        answer_->turn = number(answer, "turn");
        answer_->complete = answer.contains("complete") && answer["complete"] == true;
        answer_->after = static_cast<After>(std::min(number(answer, "after"), 2U));
        answer_->reason = word(answer, "reason");
        answer_->words = word(answer, "words");
    }
    return true;
}

void CallAgent::on_resumed(const ToAgentMessage& message, TimePoint now) {
    const bool nothing_owed = message.value == 1;
    const bool known = restore(message.payload, now);
    if (!known && message.turn == 0 && !nothing_owed) {
        skip_turn_ = 0;
        skip_before_ = message.sentence;
        on_started(message.payload, now);
        return;
    }
    if (!known) {
        read_caller(message.payload, now);
    }
    turn_ = std::max({turn_, message.turn, taken_});
    if (!keys_.empty() || dialogue_.key_pause()) {
        key_due_ = now + key_pause;
    }
    if (nothing_owed) {
        // Our words came out whole; what we wanted to do behind them may not have been told.
        const std::optional<Answer> said = std::exchange(answer_, std::nullopt);
        const After after = said && said->turn == message.turn ? said->after : After::listen;
        if (after == After::transfer) {
            start_transfer(now);
        } else if (after == After::hang_up) {
            leaving_ = Leaving::hung_up;
            outbox_.add(FromAgent::hang_up, said->turn, 0, said->reason.empty() ? "agent" : said->reason);
        }
        return;
    }
    if (taken_ >= message.turn) {
        resume_answer(message.turn, message.sentence, now);
    } else {
        answer_.reset();  // What the caller did follows, and is answered then.
        owe(message.turn, now);
    }
}

// The answer of this turn, from this sentence on: known texts are spoken again, the rest is asked for again.
void CallAgent::resume_answer(std::uint32_t turn, std::uint32_t sentence, TimePoint now) {
    if (talk_) {
        return resume_talk_answer(turn, sentence, now);
    }
    std::optional<Answer> before = std::exchange(answer_, std::nullopt);
    if (before && before->turn != turn) {
        before.reset();
    }
    const std::vector<HistoryItem> rest = history_.sentences_from(turn, sentence);
    history_.drop_sentences_from(turn, sentence);
    for (const HistoryItem& item : history_.sentences_from(turn, 0)) {
        history_.heard(turn, item.sentence);  // In the slot; what is not heard of it will be told.
    }
    owe(turn, now);
    begin_answer(turn, now);
    numbered_turn_ = turn;
    next_sentence_ = sentence;
    if (sentence > 0) {
        answer_->said_something = true;
        last_sentence_turn_ = turn;
        last_sentence_ = sentence - 1;
    }
    for (const HistoryItem& item : rest) {
        say(item.text);
    }
    if (before && before->complete) {
        complete(before->after, before->reason);
    } else if (mode_ == Mode::model && history_.has_caller(turn)) {
        answer_->after = before ? before->after : After::listen;
        answer_->reason = before ? before->reason : std::string();
        ask_model(now);
    } else if (rest.empty() && sentence == 0) {
        // What was in hand is not known: ask again.
        if (mode_ == Mode::script) {
            reply(dialogue_.again());
        } else {
            say_fixed(AgentText::say_again);
            complete();
        }
    } else {
        complete();
    }
    remember();
}

void CallAgent::record_turn(std::uint32_t turn, std::string_view speaker, std::string text, bool interrupted,
                            const TurnLatency* latency) {
    if (call_sid_.empty()) {
        return;
    }
    TurnFact fact;
    fact.call_sid = call_sid_;
    fact.turn = turn;
    fact.speaker = speaker;
    fact.text = std::move(text);
    fact.said_at = services_.host.unix_ms();
    fact.interrupted = interrupted ? 1 : 0;
    if (latency != nullptr) {
        fact.end_of_turn_ms = latency->since_voice(latency->end_of_turn);
        fact.stt_ms = latency->since_voice(latency->text);
        fact.llm_ms = latency->since_voice(latency->first_token);
        fact.tts_ms = latency->since_voice(latency->first_audio);
        fact.heard_ms = latency->since_voice(latency->first_sent);
        fact.providers = latency->providers();
    }
    services_.records.record(fact);
}

void CallAgent::record_lead() {
    LeadSlots all = slots_;
    if (known_ && mode_ != Mode::script) {  // A lead's details are replaced as a whole; the script's are whole.
        all.insert(known_->slots.begin(), known_->slots.end());
    }
    LeadFact fact = lead_of(all, from_);
    fact.to = to_;
    fact.channel = "voice";
    fact.source = "call";
    fact.external_id = call_sid_;
    fact.seen_at = services_.host.unix_ms();
    if (!fact.phone.empty()) {
        services_.records.record(fact);
    }
}

void CallAgent::book(const LeadSlots& slots, std::int64_t starts_at, std::int64_t ends_at) {
    const auto slot = [&](const char* name) {
        const auto found = slots.find(name);
        return found == slots.end() ? std::string() : found->second;
    };
    AppointmentFact fact;
    fact.to = to_;
    fact.channel = "voice";
    fact.phone = slot("phone");
    fact.call_sid = call_sid_;
    fact.title = slot("name");
    fact.notes = slot("notes");
    fact.status = "booked";
    fact.starts_at = starts_at;
    fact.ends_at = ends_at;
    fact.told_at = services_.host.unix_ms();
    services_.records.record(fact);
}

}  // namespace agentlocator
