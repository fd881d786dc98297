// What was recognised becomes an answer: by the model with its tools, or by the script; and how an answer ends.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/log_line.hpp"
#include "worker/agent/agent_tools.hpp"
#include "worker/agent/call_agent.hpp"
#include "worker/agent/spoken_text.hpp"

namespace agentlocator {
namespace {

constexpr std::size_t goodbye_words_max = 6;  // "Goodbye" in a longer sentence is part of a story.
constexpr std::size_t echo_words_min = 5;     // Shorter, a caller may well say what we said.
constexpr Duration echo_window = std::chrono::seconds(8);

constexpr std::string_view earlier_lines_prompt =
    "\nWhat was said before your greeting is from earlier calls or was written on WhatsApp, by the same person.";

}  // namespace

void CallAgent::owe(std::uint32_t turn, TimePoint now) {
    turn_ = std::max(turn_, turn);
    owed_ = true;
    owed_until_ = now + turn_budget;
    thinking_due_ = now + thinking_every;
    if (!answer_) {
        speaking_.begin_answer();
    }
}

void CallAgent::owe_nothing() {
    owed_ = false;
    owed_until_.reset();
    thinking_due_.reset();
}

bool CallAgent::is_repeated(std::string_view key, TimePoint now) const {
    return answer_ && key == last_key_ && now - last_key_at_ < services_.settings.dedup_window;
}

bool CallAgent::is_own_echo(std::string_view text, TimePoint now) const {
    return now - last_said_at_ < echo_window && heard_words(text).size() >= echo_words_min &&
           heard_key(last_said_).find(heard_key(text)) != std::string::npos;
}

void CallAgent::take_text(std::uint32_t turn, std::string text, TimePoint now) {
    const std::string key = heard_key(text);
    if (key.empty() || is_own_echo(text, now)) {
        take_nothing(turn, now);
        return;
    }
    if (is_repeated(key, now)) {
        retarget(turn, now);
        return;
    }
    taken_ = turn;
    last_key_ = key;
    last_key_at_ = now;
    abandon_answer();
    history_.drop_unheard();
    history_.add_caller(turn, text);
    record_turn(turn, "caller", text, false, nullptr);
    if (mode_ == Mode::script) {
        speculation_.reset();
        answer_by_script(turn, dialogue_.on_text(text), now);
        return;
    }
    Answer& answer = begin_answer(turn, now);
    if (talk_) {
        remember();
        talk_->hear(text, now);
        return;
    }
    const auto words = heard_words(text);
    if (words.size() <= goodbye_words_max &&
        match_phrases(words, services_.dialogue.text("goodbye_words", language_)) > 0) {
        answer.after = After::hang_up;
        answer.reason = "goodbye";
    }
    remember();
    if (speculation_ && speculation_key_ == key) {
        answer.latency.asked_model = answer.latency.end_of_turn;
        thinking_ = std::move(speculation_);
    } else {
        speculation_.reset();
        ask_model(now);
    }
}

// The caller made a noise, or words that nobody could make out.
void CallAgent::take_nothing(std::uint32_t turn, TimePoint now) {
    speculation_.reset();
    if (answer_ && !talk_) {
        retarget(turn, now);
        return;
    }
    taken_ = turn;
    history_.drop_unheard();
    if (mode_ == Mode::script) {
        answer_by_script(turn, dialogue_.on_text({}), now);
        return;
    }
    begin_answer(turn, now);
    say_fixed(AgentText::say_again);
    complete();
}

void CallAgent::take_unheard(std::uint32_t turn, TimePoint now) {
    taken_ = turn;
    history_.drop_unheard();
    answer_by_script(turn, dialogue_.on_unheard(), now);
}

void CallAgent::take_failed(std::uint32_t turn, TimePoint now) {
    turn_ = std::max(turn_, turn);
    fail_answer(now);
}

// The unfinished answer to an older turn becomes the answer to this one: what was handed over of it was dropped.
void CallAgent::retarget(std::uint32_t turn, TimePoint now) {
    taken_ = turn;
    std::vector<std::string> unheard;
    for (const HistoryItem& item : history_.sentences_from(answer_->turn, 0)) {
        if (!item.heard) {
            unheard.push_back(item.text);
        }
    }
    history_.drop_unheard();
    speaking_.cancel();
    outbox_.drop_speech();
    answer_->turn = turn;
    owe(turn, now);
    for (std::string& text : unheard) {
        say(std::move(text));
    }
    remember();
}

CallAgent::Answer& CallAgent::begin_answer(std::uint32_t turn, TimePoint now) {
    abandon_answer();
    history_.drop_unheard();
    Answer& answer = answer_.emplace();
    answer.turn = turn;
    answer.latency = std::exchange(heard_latency_, {});
    speaking_.begin_answer();
    if (talk_) {
        talk_->begin_answer();
    }
    if (answer.latency.last_voice) {
        const auto& settings = services_.settings;
        const auto spread = std::max(settings.resp_max - settings.resp_min, std::chrono::milliseconds(0));
        const auto breath =
            settings.resp_min +
            std::chrono::milliseconds(services_.host.random() % static_cast<std::uint32_t>(spread.count() + 1));
        if (*answer.latency.last_voice + breath > now) {
            speaking_.hold_until(*answer.latency.last_voice + breath);
        }
    }
    return answer;
}

// Destroys all that is in flight for it.
void CallAgent::abandon_answer() {
    thinking_.reset();
    speaking_.cancel();
    if (talk_) {
        talk_->cancel();
    }
    outbox_.drop_speech();
    answer_.reset();
}

std::uint32_t CallAgent::next_sentence(std::uint32_t turn) {
    if (turn != numbered_turn_) {
        numbered_turn_ = turn;
        next_sentence_ = 0;
    }
    return next_sentence_++;
}

void CallAgent::tell_numbering(std::uint32_t turn, std::uint32_t sentence) {
    if (turn != numbered_turn_) {
        numbered_turn_ = turn;
        next_sentence_ = 0;
    }
    next_sentence_ = std::max(next_sentence_, sentence);
}

void CallAgent::say(std::string text) {
    Answer& answer = *answer_;
    if (talk_) {  // A sentence it becomes when it is heard.
        answer.words += (answer.words.empty() ? "" : " ") + text;
        talk_->say(text, services_.host.now());
        return;
    }
    const std::uint32_t number = next_sentence(answer.turn);
    answer.said_something = true;
    answer.characters += count_code_points(text);
    last_sentence_turn_ = answer.turn;
    last_sentence_ = number;
    last_said_ += " " + text;
    if (last_said_.size() > 1000) {
        last_said_.erase(0, last_said_.size() - 1000);
    }
    history_.add_sentence(answer.turn, number, text);
    if (answer.turn == skip_turn_ && number < skip_before_) {
        return;  // In the slot already.
    }
    speaking_.say(answer.turn, number, std::move(text));
}

void CallAgent::say_fixed(AgentText text) {
    say(std::string(agent_text(text, language_)));
}

void CallAgent::complete(After after, std::string reason) {
    answer_->complete = true;
    if (after != After::listen) {
        answer_->after = after;
        answer_->reason = std::move(reason);
    }
}

LlmRequest CallAgent::model_request() const {
    LlmRequest request;
    std::string system =
        system_prompt(*persona_, services_.host, language_, from_, services_.host.unix_ms(), can_transfer());
    if (known_) {
        system += earlier_lines_prompt;
        system += known_slots_prompt(known_->slots);
    }
    request.messages = history_.messages(system);
    if (known_) {
        request.messages.insert(std::next(request.messages.begin()), known_->said.begin(), known_->said.end());
    }
    request.tools = tool_specs(can_transfer());
    request.cache_key = call_sid_;
    return request;
}

void CallAgent::ask_model(TimePoint now) {
    if (!answer_->latency.asked_model) {
        answer_->latency.asked_model = now;
    }
    LlmRequest request = model_request();
    if (answer_->tool_rounds == 0 && answer_->said_something) {
        ChatMessage nudge;
        nudge.role = ChatMessage::Role::system;
        nudge.content = continue_prompt;
        request.messages.push_back(std::move(nudge));
    }
    thinking_ = std::make_unique<Thinking>(services_, mailbox_, std::move(request), now);
}

void CallAgent::settle_thinking(TimePoint now) {
    if (!thinking_ || !answer_) {
        return;
    }
    bool said = false;
    if (!answer_->latency.first_token && thinking_->first_text_at()) {
        answer_->latency.first_token = thinking_->first_text_at();
        answer_->latency.llm = thinking_->provider();
    }
    while (auto sentence = thinking_->next_sentence()) {
        if (!answer_->latency.first_sentence) {
            answer_->latency.first_sentence = now;
        }
        say(std::move(*sentence));
        said = true;
        if (answer_->characters >= services_.settings.answer_chars_max) {
            services_.host.line(log_line(
                "answer_cut", {{"call", call_sid_},
                               {"turn", answer_->turn},
                               {"cause", "the model's answer is longer than LLM_MAX_CHARS"},
                               {"remedy", "ask for short answers in AGENT_PROMPT_FILE, or raise LLM_MAX_CHARS"}}));
            thinking_->stop();
            thinking_.reset();  // Tools of an answer that would not end are not run either.
            complete();
            remember();
            return;
        }
    }
    switch (thinking_->state()) {
        case Thinking::State::running:
            break;
        case Thinking::State::finished:
            if (!thinking_->tools().empty()) {
                const std::vector<ToolCall> calls = thinking_->tools();
                thinking_.reset();
                run_tools(calls, now);
                return;
            }
            thinking_.reset();
            complete();
            break;
        case Thinking::State::failed:
            thinking_.reset();
            fail_answer(now);
            return;
    }
    if (said || (answer_ && answer_->complete)) {
        remember();
    }
}

void CallAgent::run_tools(const std::vector<ToolCall>& calls, TimePoint now) {
    const bool loops = ++answer_->tool_rounds > tool_rounds_max;
    ToolContext context;
    context.caller = from_;
    context.now_ms = services_.host.unix_ms();
    context.utc_offset_minutes = services_.host.utc_offset_minutes(context.now_ms);
    context.can_transfer = can_transfer();
    history_.add_tools(answer_->turn, calls);
    After after = After::listen;
    std::string reason;
    std::vector<std::pair<std::string, std::string>> results;
    for (const ToolCall& call : calls) {
        ToolOutcome outcome = run_tool(call, context);
        for (auto& [name, value] : outcome.slots) {
            slots_.insert_or_assign(name, value);
        }
        switch (outcome.effect) {
            case ToolOutcome::Effect::none:
                break;
            case ToolOutcome::Effect::save_lead:
                record_lead();
                break;
            case ToolOutcome::Effect::book_meeting:
                record_lead();
                book(outcome.slots, outcome.starts_at, outcome.ends_at);
                break;
            case ToolOutcome::Effect::transfer:
                after = After::transfer;
                break;
            case ToolOutcome::Effect::hang_up:
                after = after == After::transfer ? after : After::hang_up;
                reason = outcome.reason;
                break;
        }
        services_.host.line(log_line("tool_called", {{"call", call_sid_},
                                                     {"tool", cut_utf8(call.name, 60)},
                                                     {"done", outcome.effect != ToolOutcome::Effect::none}}));
        results.emplace_back(call.id, outcome.result);
        history_.add_tool_result(answer_->turn, call.id, std::move(outcome.result));
    }
    if (after == After::listen && !loops) {
        remember();
        if (talk_) {
            talk_->go_on(results, {}, now);
        } else {
            ask_model(now);
        }
        return;
    }
    if (loops) {
        services_.host.line(log_line(
            "tools_stopped", {{"call", call_sid_},
                              {"turn", answer_->turn},
                              {"cause", "the model calls tools again and again and says nothing"},
                              {"remedy", "name the tools there are in AGENT_PROMPT_FILE, or choose another model"}}));
    }
    if (!answer_->said_something) {
        say_fixed(after == After::transfer  ? AgentText::transfer
                  : after == After::hang_up ? AgentText::farewell
                                            : AgentText::say_again);
    }
    complete(after, after == After::hang_up && reason.empty() ? "agent" : std::move(reason));
    remember();
}

void CallAgent::reply(const DialogueReply& said) {
    for (const std::string& sentence : said.say) {
        say(sentence);
    }
    for (const auto& [name, value] : dialogue_.slots()) {
        slots_.insert_or_assign(name, value);
    }
    if (said.save) {
        slots_ = dialogue_.slots();
        record_lead();
    }
    switch (said.then) {
        case DialogueReply::Then::listen:
            complete();
            break;
        case DialogueReply::Then::transfer:
            complete(After::transfer);
            break;
        case DialogueReply::Then::hang_up:
            complete(After::hang_up, said.save ? "lead_taken" : "no_lead");
            break;
    }
}

void CallAgent::answer_by_script(std::uint32_t turn, const DialogueReply& said, TimePoint now) {
    begin_answer(turn, now);
    reply(said);
    remember();
}

void CallAgent::fail_answer(TimePoint now) {
    if (talk_) {
        ProviderError error;
        error.error_class = ProviderErrorClass::timeout;
        error.provider = std::string(talk_walk_.name());
        error.operation = "converse";
        error.message = "no answer within the time of a turn";
        error.remedy = "look at the service's status, or set VOICE_MODE=cascade";
        return fail_talk(error, now);
    }
    const After after = answer_ ? answer_->after : After::listen;
    const std::string reason = answer_ ? answer_->reason : std::string();
    ++failures_;
    ++services_.metrics.failed_turns;
    taken_ = std::max(taken_, turn_);
    hearings_.clear();
    stash_.clear();
    speculation_.reset();
    Answer& answer = begin_answer(turn_, now);
    answer.apology = true;
    owe(turn_, now);
    if (after == After::hang_up) {  // The caller said goodbye: no apology is needed.
        say_fixed(AgentText::farewell);
        complete(after, reason);
    } else if (mode_ == Mode::script) {
        say_fixed(AgentText::apology);
        reply(dialogue_.again());
    } else if (failures_ == 1) {
        say_fixed(AgentText::apology);
        complete();
    } else {
        mode_ = Mode::script;
        services_.host.line(log_line("script_goes_on", {{"call", call_sid_}, {"cause", "two turns failed in a row"}}));
        dialogue_.set_slots(slots_);
        say_fixed(AgentText::take_message);
        reply(dialogue_.again());
    }
    remember();
}

void CallAgent::settle_speaking(TimePoint now) {
    speaking_.run(now);
    for (const Speaking::Done& done : speaking_.take_done()) {
        history_.synthesised(done.turn, done.sentence, done.text, done.ms);
        if (done.recorded && answer_) {
            // No voice is to be had: what the model would still say could not be heard.
            thinking_.reset();
            answer_->complete = true;
            answer_->apology = true;
            history_.drop_sentences_from(done.turn, done.sentence + 1);
            last_sentence_turn_ = done.turn;
            last_sentence_ = done.sentence;
            ++services_.metrics.failed_turns;
        }
    }
    if (speaking_.first_sent_at() || !speaking_.idle()) {
        last_said_at_ = now;
    }
    if (answer_ && answer_->said_something && speaking_.first_sent_at()) {
        owed_until_.reset();
        thinking_due_.reset();
    }
    if (answer_ && answer_->complete && speaking_.idle() && (!talk_ || talk_->idle())) {
        finish_answer(now);
    }
}

// Of the answer whose first speech goes out now.
std::int64_t CallAgent::first_speech_value() const {
    if (!answer_ || !answer_->said_something || !answer_->latency.last_voice) {
        return 0;
    }
    TurnLatency latency = answer_->latency;
    if (speaking_.asked_at()) {
        latency.asked_voice = speaking_.asked_at();
        latency.first_audio = speaking_.first_audio_at();
    }
    return 1 + std::chrono::duration_cast<std::chrono::microseconds>(latency.services()).count();
}

void CallAgent::finish_answer(TimePoint now) {
    tell_listening();
    remember();
    Answer answer = std::move(*answer_);
    answer_.reset();
    if (speaking_.asked_at()) {
        answer.latency.asked_voice = speaking_.asked_at();
        answer.latency.first_audio = speaking_.first_audio_at();
        answer.latency.first_sent = speaking_.first_sent_at();
        answer.latency.tts = speaking_.provider();
    }
    std::erase_if(utterances_, [&](const Utterance& one) { return one.finished && one.turn <= answer.turn; });
    outbox_.add(FromAgent::turn_done, answer.turn);
    owe_nothing();
    if (!answer.apology) {
        failures_ = 0;
    }
    if (answer.latency.last_voice && answer.latency.first_sent) {
        ++services_.metrics.turns;
        answer.latency.count(services_.metrics);
        outbox_.add(FromAgent::log, answer.turn, 0, answer.latency.line(call_sid_, answer.turn));
    }
    if (std::string text = history_.said_in(answer.turn); !text.empty()) {
        record_turn(answer.turn, "agent", std::move(text), false, &answer.latency);
    }
    if (answer.after == After::hang_up) {
        leaving_ = Leaving::hung_up;
        hearings_.clear();
        outbox_.add(FromAgent::hang_up, answer.turn, 0, answer.reason.empty() ? "agent" : answer.reason);
    } else if (answer.after == After::transfer) {
        leaving_ = Leaving::waiting_heard;
        leaving_due_ = now + farewell_max;
        if (!answer.said_something) {
            start_transfer(now);
        }
    }
}

void CallAgent::start_transfer(TimePoint now) {
    leaving_ = Leaving::transferring;
    leaving_due_ = now + transfer_max;
    transfer_operation_ = mailbox_.new_operation();
    transfer_ = services_.control.update(
        call_sid_, transfer_twiml(persona_->settings.transfer_number),
        [this, id = transfer_operation_](std::string_view problem) {
            mailbox_.push({.kind = ServiceEvent::Kind::control_done, .operation = id, .text = std::string(problem)});
        });
    if (!transfer_) {
        transfer_failed("set " + services_.control.missing(), now);
    }
}

void CallAgent::transfer_failed(std::string_view problem, TimePoint now) {
    services_.host.line(log_line("transfer_failed", {{"call", call_sid_}, {"cause", problem}}));
    leaving_ = Leaving::no;
    leaving_due_.reset();
    owe(turn_, now);
    begin_answer(turn_, now);
    if (mode_ == Mode::script) {
        reply(dialogue_.on_transfer_failed());
    } else {
        say_fixed(AgentText::no_transfer);
        complete();
    }
    remember();
}

SttConfig CallAgent::listening() const {
    if (mode_ == Mode::script) {
        SttConfig config = dialogue_.listening();
        // With free speech recognised, phrases are hints and not the only answers.
        config.closed = config.closed && !understands();
        return config;
    }
    SttConfig config;
    config.language = code_of(language_);
    if (!persona_->settings.business_name.empty()) {
        config.phrases.push_back(persona_->settings.business_name);
    }
    return config;
}

void CallAgent::tell_listening() {
    ListenHints hints;
    if (mode_ == Mode::script) {
        hints = dialogue_.hints();
    }
    outbox_.add(FromAgent::listen, turn_, 0, listen_payload(hints));
}

}  // namespace agentlocator
