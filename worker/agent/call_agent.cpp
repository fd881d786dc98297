// What the media thread tells, and the order in which events, deadlines and stages are looked at.
#include "worker/agent/call_agent.hpp"

#include <nlohmann/json.hpp>

#include "common/log_line.hpp"
#include "store/phone.hpp"
#include "worker/agent/spoken_text.hpp"

namespace agentlocator {
namespace {

std::optional<TimePoint> earlier(std::optional<TimePoint> a, std::optional<TimePoint> b) {
    return a && b ? std::min(*a, *b) : a ? a : b;
}

}  // namespace

CallAgent::CallAgent(AgentServices& services, std::uint32_t slot, std::uint64_t call, std::function<void()> wake,
                     PersonaPtr persona)
    : services_(services),
      persona_(persona ? std::move(persona) : make_persona(services.settings, services.prompt, {})),
      mailbox_(std::move(wake)),
      outbox_(slot, call),
      language_(language_of(persona_->settings.language)),
      dialogue_(make_dialogue()),
      speaking_(services, mailbox_, outbox_, language_, [this] { return first_speech_value(); }),
      talk_walk_(services.realtime) {}

bool CallAgent::can_transfer() const {
    return !persona_->settings.transfer_number.empty() && services_.control.missing().empty();
}

bool CallAgent::understands() const {
    SttConfig free_speech;
    free_speech.language = code_of(language_);
    return Hearing::possible(services_, free_speech);
}

Dialogue CallAgent::make_dialogue() const {
    SttConfig closed;
    closed.language = code_of(language_);
    closed.closed = true;
    closed.phrases = {"yes", "no"};
    DialogueCaller caller;
    caller.language = language_;
    caller.number = from_;
    caller.business_name = persona_->settings.business_name;
    const std::string& own =
        language_ == Language::hebrew ? persona_->settings.greeting_he : persona_->settings.greeting_en;
    caller.greeting = own.empty() || own == "none" ? "" : greeting_text(persona_->settings, language_);
    caller.understands = understands();
    caller.hears = caller.understands || Hearing::possible(services_, closed);
    caller.can_transfer = can_transfer();
    return Dialogue(services_.dialogue, std::move(caller));
}

void CallAgent::on_message(const ToAgentMessage& message, TimePoint now) {
    if (over_) {
        return;
    }
    // A turn that only began may be dropped, and its number used again.
    if (message.kind != ToAgent::utterance_began && message.kind != ToAgent::audio &&
        message.kind != ToAgent::utterance_dropped) {
        turn_ = std::max(turn_, message.turn);
    }
    switch (message.kind) {
        case ToAgent::call_started:
            on_started(message.payload, now);
            break;
        case ToAgent::call_resumed:
            on_resumed(message, now);
            break;
        case ToAgent::call_ended:
            on_ended(message.payload);
            return;
        case ToAgent::utterance_began:
            on_utterance_began(message, now);
            break;
        case ToAgent::audio:
            if (talk_) {
                keep_utterance(message);
            }
            for (auto& hearing : hearings_) {
                if (hearing->turn() == message.turn) {
                    hearing->push(
                        {reinterpret_cast<const std::uint8_t*>(message.payload.data()), message.payload.size()});
                }
            }
            break;
        case ToAgent::utterance_ended:
            on_utterance_ended(message, now);
            break;
        case ToAgent::utterance_dropped:
            if (talk_) {
                drop_utterance(message.turn);
            }
            std::erase_if(hearings_, [&](const auto& hearing) { return hearing->turn() == message.turn; });
            break;
        case ToAgent::key:
            if (message.payload.size() == 1) {
                on_key(message.turn, message.payload[0], now);
            }
            break;
        case ToAgent::sentence_heard:
            history_.heard(message.turn, message.sentence);
            if (leaving_ == Leaving::waiting_heard && message.turn == last_sentence_turn_ &&
                message.sentence == last_sentence_) {
                start_transfer(now);
            }
            break;
        case ToAgent::interrupted:
            on_interrupted(message, now);
            break;
        case ToAgent::silence:
            on_silence(message, now);
            break;
        case ToAgent::thinking_hint:
            on_thinking_hint(message);
            break;
        case ToAgent::time_up:
            on_time_up(message, now);
            break;
    }
    settle(now);
}

void CallAgent::read_caller(std::string_view payload, TimePoint now) {
    const auto start = nlohmann::json::parse(payload, nullptr, false);
    const auto text = [&](std::initializer_list<const char*> names) -> std::string {
        for (const char* name : names) {
            if (start.is_object() && start.contains(name) && start[name].is_string()) {
                return start[name].get<std::string>();
            }
        }
        return {};
    };
    call_sid_ = text({"call_sid", "callSid", "CallSid"});
    from_ = normalise_phone(text({"from", "From", "caller"}));
    to_ = text({"to", "To", "called"});
    dialogue_ = make_dialogue();
    choose_mode(now);
    ask_who_calls();
}

// Nothing waits for the answer: it counts for what comes after it.
void CallAgent::ask_who_calls() {
    if (services_.people == nullptr || !normal_phone(from_)) {
        return;  // A withheld number is many people.
    }
    asking_operation_ = mailbox_.new_operation();
    asking_ = services_.people->ask({.called = to_, .phone = *normal_phone(from_), .call_sid = call_sid_},
                                    [this, id = asking_operation_](KnownPersonPtr known) {
                                        ServiceEvent event;
                                        event.kind = ServiceEvent::Kind::person_known;
                                        event.operation = id;
                                        event.person = std::move(known);
                                        mailbox_.push(std::move(event));
                                    });
}

void CallAgent::learn(KnownPersonPtr known) {
    asking_.reset();
    if (known->empty()) {
        return;
    }
    known_ = std::move(known);
    services_.host.line(log_line(
        "caller_known", {{"call", call_sid_}, {"lines", known_->said.size()}, {"details", known_->slots.size()}}));
    dialogue_.know(known_->slots);
    for (Talking* const talk : {talk_.get(), next_talk_.get()}) {
        if (talk != nullptr) {
            talk->note(known_text(*known_));
        }
    }
}

void CallAgent::choose_mode(TimePoint now) {
    if (!open_talk(talk_walk_.first(now))) {
        // A model that cannot be told what the caller says is of no use.
        mode_ = services_.llm.empty() || !understands() ? Mode::script : Mode::model;
    }
}

void CallAgent::on_started(std::string_view payload, TimePoint now) {
    read_caller(payload, now);
    owe(0, now);
    begin_answer(0, now);
    if (mode_ == Mode::script) {
        reply(dialogue_.open());
    } else {
        if (std::string greeting = greeting_text(persona_->settings, language_); !greeting.empty()) {
            say(std::move(greeting));
        }
        complete();
    }
    remember();
}

void CallAgent::on_ended(std::string_view reason) {
    over_ = true;
    hearings_.clear();
    speculation_.reset();
    abandon_answer();
    talk_.reset();
    next_talk_.reset();
    transfer_.reset();
    asking_.reset();
    if (reason != "moved" && reason != "lost") {  // Both may go on elsewhere.
        CallFact fact;
        fact.call_sid = call_sid_;
        fact.from = from_;
        fact.to = to_;
        fact.mode = "AI";
        fact.end_reason = reason;
        fact.ended_at = services_.host.unix_ms();
        if (!call_sid_.empty()) {
            services_.records.record(fact);
        }
        services_.host.line(log_line("conversation_ended", {{"call", call_sid_},
                                                            {"reason", reason},
                                                            {"turns", taken_},
                                                            {"mind", mode_ == Mode::model      ? "model"
                                                                     : mode_ == Mode::realtime ? "realtime"
                                                                                               : "script"},
                                                            {"lead", slots_.contains("phone")}}));
    }
}

void CallAgent::on_utterance_began(const ToAgentMessage& message, TimePoint now) {
    const std::uint32_t turn = message.turn;
    if (turn <= taken_ || leaving_ == Leaving::hung_up) {
        return;  // After a take-over: told again, and known.
    }
    if (talk_) {
        return keep_utterance(message);
    }
    // Connections idle since the last turn may be gone; now there is time to open one.
    if (mode_ == Mode::model) {
        services_.llm.front().provider->prewarm();
    }
    if (!services_.tts.empty()) {
        services_.tts.front().provider->prewarm();
    }
    std::erase_if(hearings_, [&](const auto& hearing) { return hearing->turn() == turn; });
    hearings_.push_back(std::make_unique<Hearing>(services_, mailbox_, listening(), turn, now));
}

void CallAgent::on_utterance_ended(const ToAgentMessage& message, TimePoint now) {
    if (message.turn <= taken_ || leaving_ == Leaving::hung_up) {
        return;
    }
    reprompts_ = 0;
    owe(message.turn, now);
    heard_latency_ = {};
    heard_latency_.end_of_turn = now;
    heard_latency_.last_voice = now - std::chrono::milliseconds(std::clamp<std::int64_t>(message.value, 0, 10'000));
    bool known = talk_ && answer_utterance(message.turn, now);
    for (auto& hearing : hearings_) {
        if (hearing->turn() == message.turn) {
            hearing->finish(now);
            known = true;
        }
    }
    if (!known) {  // Its beginning was lost: nothing was heard.
        take_nothing(message.turn, now);
    }
}

void CallAgent::on_interrupted(const ToAgentMessage& message, TimePoint now) {
    ++services_.metrics.interrupted;
    history_.interrupted(message.turn, message.sentence, message.value);
    if (const std::string heard = history_.said_in(message.turn); !heard.empty()) {
        record_turn(message.turn, "agent", heard, true, nullptr);
    }
    if (leaving_ == Leaving::waiting_heard) {
        start_transfer(now);  // "Thanks" over our last words changes nothing.
        return;
    }
    cut_answer(message, now);
    if (talk_) {  // Behind the cancelling of what was still coming.
        talk_->interrupted(message.turn, message.sentence, message.value);
    }
}

void CallAgent::cut_answer(const ToAgentMessage& message, TimePoint now) {
    if (!answer_) {
        speaking_.cancel();  // A thinking hint.
    } else if (answer_->turn == message.turn && answer_->after != After::hang_up) {
        const bool transfer = answer_->after == After::transfer;
        abandon_answer();
        owe_nothing();
        if (transfer) {
            start_transfer(now);
        }
    }
}

void CallAgent::on_thinking_hint(const ToAgentMessage& message) {
    tell_numbering(message.turn, message.sentence);
    const bool speaks = answer_ && (answer_->said_something || answer_->complete);
    // Not with another's voice into the pause of the one who talks.
    if (owed_ && !speaks && speaking_.idle() && !talk_) {
        // Not part of the history: it says nothing.
        speaking_.say(message.turn, next_sentence(message.turn), thinking_text(persona_->settings, language_));
    }
}

void CallAgent::on_time_up(const ToAgentMessage& message, TimePoint now) {
    if (leaving_ != Leaving::no) {
        return;
    }
    tell_numbering(message.turn, message.sentence);
    hearings_.clear();
    outbox_.add(FromAgent::cancel_turn, message.turn);
    owe(message.turn, now);
    begin_answer(message.turn, now);
    say_fixed(AgentText::farewell_time);
    complete(After::hang_up, "time_up");
}

void CallAgent::on_silence(const ToAgentMessage& message, TimePoint now) {
    if (leaving_ != Leaving::no || answer_) {
        return;  // An answer is on its way; it is the answer to the silence, too.
    }
    tell_numbering(message.turn, message.sentence);
    owe(message.turn, now);
    if (mode_ == Mode::script) {
        answer_by_script(message.turn, dialogue_.on_silence(), now);
        return;
    }
    begin_answer(message.turn, now);
    if (++reprompts_ > reprompts_max) {
        say_fixed(AgentText::farewell_silence);
        complete(After::hang_up, "silence");
        return;
    }
    say_fixed(reprompts_ == 1 ? AgentText::still_there : AgentText::still_there_2);
    complete();
}

void CallAgent::on_key(std::uint32_t turn, char key, TimePoint now) {
    if (turn <= taken_ || leaving_ != Leaving::no) {
        return;
    }
    reprompts_ = 0;
    hearings_.clear();  // In-band tones are no words.
    stash_.clear();
    if (talk_ && !std::exchange(utterances_, {}).empty()) {
        talk_->drop_turn();
    }
    owe(turn, now);
    if (mode_ == Mode::script) {
        taken_ = turn;
        const DialogueReply answer = dialogue_.on_key(key);
        const auto pause = dialogue_.key_pause();
        key_due_ = pause ? std::optional<TimePoint>(now + *pause) : std::nullopt;
        answer_by_script(turn, answer, now);
        return;
    }
    taken_ = turn;
    if (key == '0' && keys_.empty() && can_transfer()) {
        begin_answer(turn, now);
        say_fixed(AgentText::transfer);
        complete(After::transfer);
        return;
    }
    if (key != '#' && keys_.size() < keys_max) {
        keys_.push_back(key);
    }
    if (key == '#' && !keys_.empty()) {
        on_key_pause(now);
        return;
    }
    key_due_ = now + key_pause;
    begin_answer(turn, now);  // More may come: nothing is said to a single key.
    complete();
}

void CallAgent::on_key_pause(TimePoint now) {
    key_due_.reset();
    if (mode_ == Mode::script ? !dialogue_.key_pause() : keys_.empty()) {
        return;  // Words came after the digits and were answered.
    }
    owe(turn_, now);
    if (mode_ == Mode::script) {
        answer_by_script(turn_, dialogue_.on_key_pause(), now);
        return;
    }
    const std::string keys = std::exchange(keys_, {});
    take_text(turn_, (language_ == Language::hebrew ? "[הוקש: " : "[keyed in: ") + keys + "]", now);
}

void CallAgent::dispatch(const ServiceEvent& event, TimePoint now) {
    if (event.kind == ServiceEvent::Kind::control_done) {
        if (event.operation == transfer_operation_) {
            transfer_.reset();
            leaving_due_.reset();
            if (event.text.empty()) {
                leaving_ = Leaving::hung_up;  // The stream ends now.
            } else {
                transfer_failed(event.text, now);
            }
        }
        return;
    }
    if (event.kind == ServiceEvent::Kind::person_known) {
        if (event.operation == asking_operation_) {
            learn(event.person);
        }
        return;
    }
    if ((talk_ && talk_->on_event(event, now)) || (next_talk_ && next_talk_->on_event(event, now))) {
        return;
    }
    for (auto& hearing : hearings_) {
        if (hearing->on_event(event, now)) {
            return;
        }
    }
    if ((thinking_ && thinking_->on_event(event, now)) || (speculation_ && speculation_->on_event(event, now))) {
        return;
    }
    (void)speaking_.on_event(event, now);
}

void CallAgent::check_deadlines(TimePoint now) {
    for (auto& hearing : hearings_) {
        hearing->on_time(now);
    }
    if (thinking_) {
        thinking_->on_time(now);
    }
    if (speculation_) {
        speculation_->on_time(now);
    }
    speaking_.on_time(now);
    if (talk_) {
        talk_->on_time(now);
        if (now >= *renew_due_) {
            begin_renewal(now);
        }
    }
    if (key_due_ && now >= *key_due_) {
        on_key_pause(now);
    }
    if (thinking_due_ && now >= *thinking_due_) {
        outbox_.add(FromAgent::thinking, turn_);
        thinking_due_ = now + thinking_every;
    }
    if (owed_until_ && now >= *owed_until_) {
        owed_until_.reset();
        fail_answer(now);
    }
    if (leaving_due_ && now >= *leaving_due_) {
        leaving_due_.reset();
        if (leaving_ == Leaving::waiting_heard) {
            start_transfer(now);
        } else if (leaving_ == Leaving::transferring) {
            transfer_.reset();
            transfer_failed("no answer from Twilio", now);
        }
    }
}

std::optional<TimePoint> CallAgent::deadline() const {
    if (over_) {
        return std::nullopt;
    }
    std::optional<TimePoint> due = speaking_.deadline();
    for (const auto& hearing : hearings_) {
        due = earlier(due, hearing->deadline());
    }
    if (thinking_) {
        due = earlier(due, thinking_->deadline());
    }
    if (speculation_) {
        due = earlier(due, speculation_->deadline());
    }
    if (talk_) {
        due = earlier(earlier(due, talk_->deadline()), renew_due_);
    }
    for (const auto& at : {key_due_, thinking_due_, owed_until_, leaving_due_}) {
        due = earlier(due, at);
    }
    return due;
}

void CallAgent::run(TimePoint now) {
    if (over_) {
        (void)mailbox_.take();
        return;
    }
    do {
        for (const ServiceEvent& event : mailbox_.take()) {
            dispatch(event, now);
        }
        check_deadlines(now);
        settle(now);
    } while (!mailbox_.empty());
}

bool CallAgent::flush(AgentOutput& output, TimePoint now) {
    for (;;) {
        if (!outbox_.flush(output)) {
            return false;
        }
        if (!over_) {
            settle_talking(now);  // There is room for speech that waited.
            settle_speaking(now);
        }
        if (outbox_.empty()) {
            return true;
        }
    }
}

void CallAgent::settle(TimePoint now) {
    settle_hearings(now);
    maybe_speculate(now);
    settle_thinking(now);
    settle_talking(now);
    settle_renewal(now);
    settle_speaking(now);
}

void CallAgent::settle_hearings(TimePoint now) {
    while (!hearings_.empty() && hearings_.front()->finished()) {
        Hearing& first = *hearings_.front();
        if (first.state() == Hearing::State::listening || first.state() == Hearing::State::waiting) {
            return;
        }
        const std::unique_ptr<Hearing> hearing = std::move(hearings_.front());
        hearings_.erase(hearings_.begin());
        // The caller went on speaking before this was recognised: both are one question.
        const bool followed = !hearings_.empty() && hearings_.front()->finished();
        heard_latency_.text = now;
        heard_latency_.stt = hearing->state() == Hearing::State::done ? hearing->provider() : "";
        if (followed && hearing->state() == Hearing::State::done) {
            stash_ += (stash_.empty() || hearing->text().empty() ? "" : " ") + hearing->text();
            continue;
        }
        if (hearing->state() == Hearing::State::done || !stash_.empty()) {
            std::string text = std::exchange(stash_, {});
            text += (text.empty() || hearing->text().empty() ? "" : " ") + hearing->text();
            take_text(hearing->turn(), std::move(text), now);
        } else if (hearing->state() == Hearing::State::unavailable) {
            take_unheard(hearing->turn(), now);
        } else {
            take_failed(hearing->turn(), now);
        }
    }
}

// While the recogniser makes up its mind, the model already thinks about what it said last.
void CallAgent::maybe_speculate(TimePoint now) {
    if (mode_ != Mode::model || hearings_.size() != 1 || speculation_ || answer_) {
        return;
    }
    const Hearing& hearing = *hearings_.front();
    if (!hearing.finished() || hearing.state() != Hearing::State::waiting || heard_words(hearing.partial()).empty()) {
        return;
    }
    speculation_key_ = heard_key(hearing.partial());
    LlmRequest request = model_request();
    ChatMessage said;
    said.content = hearing.partial();
    request.messages.push_back(std::move(said));
    speculation_ = std::make_unique<Thinking>(services_, mailbox_, std::move(request), now);
}

}  // namespace agentlocator
