// A call whose agent is one speech-to-speech service (VOICE_MODE=realtime): the same turns, the same tools and the same
// memory as with recogniser, model and voice, which take over with all that was said when the service fails.
//
//   session fails once --> a new one, told what was said; again in a row, or for good --> the cascade, in the same call
//   session's time nearly over --> the next one, told what was said, takes its place in a pause
//   When one fails: what the caller said and was not answered is answered, what broke off in the middle goes on, words
//   of ours that were not said are said.
#include <algorithm>

#include "common/log_line.hpp"
#include "worker/agent/agent_tools.hpp"
#include "worker/agent/call_agent.hpp"
#include "worker/agent/spoken_text.hpp"

namespace agentlocator {

std::unique_ptr<Talking> CallAgent::make_talk(RealtimeProvider& provider) {
    RealtimeConfig config;
    config.instructions =
        system_prompt(*persona_, services_.host, language_, from_, services_.host.unix_ms(), can_transfer());
    config.language = code_of(language_);
    config.tools = tool_specs(can_transfer());
    config.history = history_.messages({});
    auto talk = std::make_unique<Talking>(
        mailbox_, outbox_, provider, config,
        Talking::Hooks{[this] { return place_of_talk(); }, [this] { return first_speech_value(); }});
    if (known_) {
        talk->note(known_text(*known_));
    }
    return talk;
}

bool CallAgent::open_talk(RealtimeProvider* provider) {
    if (provider == nullptr) {
        return false;
    }
    talk_ = make_talk(*provider);
    plan_renewal(0, services_.host.now());
    mode_ = Mode::realtime;
    return true;
}

// Nobody speaks, nothing is owed, and the caller has heard all that was said: a session that knows the words knows all.
bool CallAgent::is_pause() const {
    const auto& items = history_.items();
    const bool unheard = !items.empty() && items.back().kind == HistoryItem::Kind::agent && !items.back().heard;
    return talk_ && talk_->idle() && !answer_ && !owed_ && utterances_.empty() && keys_.empty() && !unheard &&
           leaving_ == Leaving::no;
}

void CallAgent::plan_renewal(std::int64_t expires_at, TimePoint now) {
    const Duration told = std::chrono::milliseconds(1000 * expires_at - services_.host.unix_ms());
    const Duration time = expires_at != 0 && told >= session_time_min && told <= session_time ? told : session_time;
    renew_due_ = now + time * 5 / 6;
}

void CallAgent::begin_renewal(TimePoint now) {
    if (next_talk_) {
        return give_up_renewal(now + renewal_again);  // It did not become ready.
    }
    if (!is_pause() || talk_walk_.current() == nullptr) {
        return give_up_renewal(now + pause_again);
    }
    next_talk_ = make_talk(*talk_walk_.current());
    renew_due_ = now + renewal_max;
}

// The old session goes on until the new one is ready, and whatever happens meanwhile is the old one's.
void CallAgent::settle_renewal(TimePoint now) {
    if (!next_talk_) {
        return;
    }
    if (const auto failure = next_talk_->take_failure()) {
        if (const std::string line = services_.faults.line(*failure, now); !line.empty()) {
            services_.host.line(line);
        }
        ++services_.metrics.provider_failures;
        return give_up_renewal(now + renewal_again);
    }
    if (!is_pause()) {
        return give_up_renewal(now + pause_again);
    }
    if (const auto expires_at = next_talk_->take_ready()) {
        talk_ = std::move(next_talk_);
        plan_renewal(*expires_at, now);
        services_.host.line(log_line("realtime_renewed", {{"call", call_sid_}}));
    }
}

// A sentence of the service begins to be heard: it answers what is in hand.
std::optional<Talking::Place> CallAgent::place_of_talk() {
    if (!answer_) {
        return std::nullopt;
    }
    Answer& answer = *answer_;
    const TimePoint now = services_.host.now();
    if (!answer.said_something && answer.latency.last_voice) {
        // One service does it all: its time ends with its first sound.
        answer.latency.asked_model = answer.latency.end_of_turn;
        answer.latency.first_token = answer.latency.first_audio = answer.latency.first_sent = now;
        answer.latency.llm = talk_walk_.name();
    }
    answer.said_something = true;
    taken_ = std::max(taken_, answer.turn);
    last_said_at_ = now;
    last_sentence_turn_ = answer.turn;
    last_sentence_ = next_sentence(answer.turn);
    return Talking::Place{last_sentence_turn_, last_sentence_};
}

void CallAgent::keep_utterance(const ToAgentMessage& message) {
    if (message.kind == ToAgent::utterance_began) {
        std::erase_if(utterances_, [&](const Utterance& one) { return one.turn == message.turn; });
        utterances_.push_back({message.turn, {}, false});
        return;
    }
    for (Utterance& one : utterances_) {
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(message.payload.data());
        if (one.turn == message.turn && !one.finished &&
            one.audio.size() + message.payload.size() <= Hearing::audio_max) {
            one.audio.insert(one.audio.end(), bytes, bytes + message.payload.size());
            talk_->push({bytes, message.payload.size()});
        }
    }
}

void CallAgent::drop_utterance(std::uint32_t turn) {
    if (std::erase_if(utterances_, [&](const Utterance& one) { return one.turn == turn; }) > 0) {
        talk_->drop_turn();
    }
}

// False: its beginning was lost.
bool CallAgent::answer_utterance(std::uint32_t turn, TimePoint now) {
    const auto found =
        std::find_if(utterances_.begin(), utterances_.end(), [&](const Utterance& one) { return one.turn == turn; });
    if (found == utterances_.end()) {
        return false;
    }
    found->finished = true;
    begin_answer(turn, now);
    talk_->end_of_turn(turn, now);
    return true;
}

void CallAgent::settle_talking(TimePoint now) {
    if (!talk_) {
        return;
    }
    if (const auto failure = talk_->take_failure()) {
        fail_talk(*failure, now);
        return;
    }
    if (const auto expires_at = talk_->take_ready()) {
        plan_renewal(*expires_at, now);
    }
    bool news = note_talk();
    if (const auto tools = talk_->take_done()) {
        news = true;
        if (!tools->empty() && answer_) {
            run_tools(*tools, now);
        } else if (answer_ && !answer_->said_something) {
            ProviderError error;
            error.error_class = ProviderErrorClass::server;
            error.provider = std::string(talk_walk_.name());
            error.operation = "converse";
            error.message = "an answer without any sound";
            error.remedy = "look at the service's status, or set VOICE_MODE=cascade";
            fail_talk(error, now);
            return;
        } else if (answer_) {
            answer_->words.clear();
            complete();
            talk_walk_.succeeded();
        }
    }
    if (news) {
        remember();
    }
    talk_->run();
    (void)note_talk();
    if (answer_ && answer_->said_something) {
        owed_until_.reset();
        thinking_due_.reset();
    }
}

// What was said by either side goes into the history. True: more than the memory has of it by far.
bool CallAgent::note_talk() {
    bool news = false;
    for (const Talking::Said& said : talk_->take_said()) {
        const auto known = history_.sentences_from(said.place.turn, said.place.sentence);
        const bool begins = known.empty() || known.front().sentence != said.place.sentence;
        if (begins) {
            history_.add_sentence(said.place.turn, said.place.sentence, said.text);
        }
        history_.synthesised(said.place.turn, said.place.sentence, said.text, said.ms);
        talk_unremembered_ += 1;
        news = news || begins || talk_unremembered_ >= talk_words_a_memory;
    }
    for (const Talking::Heard& heard : talk_->take_heard()) {
        if (!heard.text.empty() && !history_.has_caller(heard.turn)) {
            history_.add_caller(heard.turn, heard.text);
            record_turn(heard.turn, "caller", heard.text, false, nullptr);
            news = true;
        }
    }
    if (news) {
        talk_unremembered_ = 0;
    }
    return news;
}

void CallAgent::fail_talk(const ProviderError& error, TimePoint now) {
    if (const std::string line = services_.faults.line(error, now); !line.empty()) {
        services_.host.line(line);
    }
    ++services_.metrics.provider_failures;
    talk_->close();
    (void)note_talk();
    if (answer_ && !answer_->words.empty() && answer_->said_something) {
        std::int64_t said_ms = 0;
        for (const HistoryItem& item : history_.sentences_from(answer_->turn, 0)) {
            said_ms += item.ms;
        }
        const std::int64_t whole = std::max(estimated_speech_ms(answer_->words), said_ms * 10 / 9 + 1);
        answer_->words = std::string(unsaid_part(answer_->words, said_ms, whole));
    }
    talk_.reset();
    next_talk_.reset();
    if (answer_) {
        owe(answer_->turn, now);
    }
    if (open_talk(talk_walk_.failed(error, false, now))) {
        resume_talk(now);
        return;
    }
    mode_ = services_.llm.empty() || !understands() ? Mode::script : Mode::model;
    services_.host.line(
        log_line("realtime_left", {{"call", call_sid_},
                                   {"cause", error.message},
                                   {"detail", mode_ == Mode::model ? "recogniser, model and voice go on with the call"
                                                                   : "the script goes on with the call"},
                                   {"remedy", error.remedy}}));
    if (mode_ == Mode::script) {
        dialogue_.set_slots(slots_);
    }
    leave_talk(now);
    remember();
}

// In a new session: whatever was in hand when the last one, or the process, ended.
void CallAgent::resume_talk(TimePoint now) {
    if (answer_ && !answer_->words.empty()) {
        talk_->say(answer_->words, now);
    } else if (answer_ && answer_->said_something && !answer_->complete) {
        talk_->go_on({}, continue_prompt, now);
    } else if (answer_ && !answer_->said_something && history_.has_caller(answer_->turn)) {
        talk_->go_on({}, {}, now);
    } else if (answer_ && !answer_->said_something && !answer_->complete) {
        for (const Utterance& one : utterances_) {
            if (one.finished) {
                talk_->push(one.audio);
                talk_->end_of_turn(one.turn, now);
            }
        }
        if (talk_->idle()) {  // Its sound is gone.
            say_fixed(AgentText::say_again);
            complete();
        }
    }
    if (!utterances_.empty() && !utterances_.back().finished) {
        talk_->push(utterances_.back().audio);
    }
}

// The same, by recogniser, model or script, and voice.
void CallAgent::leave_talk(TimePoint now) {
    const std::vector<Utterance> utterances = std::exchange(utterances_, {});
    bool hear_again = false;
    if (answer_ && !answer_->words.empty()) {
        std::string words = std::exchange(answer_->words, {});
        say(std::move(words));
    } else if (answer_ && !answer_->complete) {
        const bool known = history_.has_caller(answer_->turn);
        hear_again = !known && !answer_->said_something;
        if (hear_again) {
            heard_latency_ = answer_->latency;
            answer_.reset();
        } else if (mode_ == Mode::model) {
            ask_model(now);
        } else {
            reply(dialogue_.again());
        }
    }
    for (const Utterance& one : utterances) {
        if (one.finished && !hear_again) {
            continue;  // Answered, or in the history.
        }
        hearings_.push_back(std::make_unique<Hearing>(services_, mailbox_, listening(), one.turn, now));
        hearings_.back()->push(one.audio);
        if (one.finished) {
            hearings_.back()->finish(now);
        }
    }
}

// After a take-over: the service's next sentence cannot go on in the middle of one. The one that is only partly in the
// slot ends there, and the new session goes on behind what its words are known to be.
void CallAgent::resume_talk_answer(std::uint32_t turn, std::uint32_t sentence, TimePoint now) {
    if (!answer_ || answer_->turn != turn) {
        answer_.emplace();
        answer_->turn = turn;
    }
    const auto rest = history_.sentences_from(turn, sentence);
    const bool partly = !rest.empty() && rest.front().sentence == sentence;
    history_.drop_sentences_from(turn, sentence + 1);
    numbered_turn_ = turn;
    next_sentence_ = sentence + (partly ? 1 : 0);
    owe(turn, now);
    answer_->said_something = sentence > 0 || partly;
    if (partly) {
        outbox_.add(FromAgent::sentence_done, turn, sentence, rest.front().text);
        answer_->complete = answer_->complete && !answer_->words.empty();
    }
    resume_talk(now);
    remember();
}

}  // namespace agentlocator
