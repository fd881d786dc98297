#include "worker/agent/speaking.hpp"

#include <algorithm>
#include <utility>

#include "worker/agent/recorded_speech.hpp"
#include "worker/agent/spoken_text.hpp"

namespace agentlocator {

void Speaking::say(std::uint32_t turn, std::uint32_t sentence, std::string text) {
    const std::string_view code = code_of(language_);
    Sentence queued{.turn = turn,
                    .number = sentence,
                    .text = text,
                    .to_ask = std::move(text),
                    .walk = ChainWalk<TtsProvider>(
                        services_.tts, [code](const TtsProvider& provider) { return provider.speaks(code); })};
    sentences_.push_back(std::move(queued));
}

void Speaking::cancel() {
    for (Sentence& sentence : sentences_) {
        sentence.walk.cancelled();
    }
    sentences_.clear();
    hold_.reset();
}

void Speaking::begin_answer() {
    asked_at_.reset();
    first_audio_at_.reset();
    first_sent_at_.reset();
    provider_.clear();
}

void Speaking::run(TimePoint now) {
    // By index: say_recorded() drops what is behind.
    for (std::size_t i = 0; i < sentences_.size() && i < ahead_max; ++i) {
        if (!sentences_[i].asked) {
            sentences_[i].asked = true;
            if (!asked_at_) {
                asked_at_ = now;
            }
            ask(sentences_[i], sentences_[i].walk.first(now), now);
        }
    }
    if (hold_ && now < *hold_) {
        return;
    }
    hold_.reset();
    while (!sentences_.empty()) {
        Sentence& front = sentences_.front();
        while (!front.audio.empty() && !outbox_.is_high()) {
            const std::size_t count = std::min(front.audio.size(), piece_max);
            outbox_.add(FromAgent::speech, front.turn, front.number, std::string_view(front.audio).substr(0, count),
                        first_sent_at_ ? 0 : first_value_());
            front.audio.erase(0, count);
            if (!first_sent_at_) {
                first_sent_at_ = now;
            }
        }
        if (!front.audio.empty() || !front.complete) {
            return;
        }
        outbox_.add(FromAgent::sentence_done, front.turn, front.number, front.text);
        done_.push_back({front.turn, front.number, std::move(front.text), static_cast<std::int64_t>(front.received / 8),
                         front.recorded});
        sentences_.pop_front();
        if (!sentences_.empty()) {
            run(now);  // Ask for the next but one.
            return;
        }
    }
}

void Speaking::ask(Sentence& sentence, TtsProvider* provider, TimePoint now) {
    if (provider == nullptr) {
        say_recorded(sentence, now);
        return;
    }
    sentence.operation = mailbox_.new_operation();
    sentence.last_output = now;
    sentence.of_provider = 0;
    if (provider_.empty()) {
        provider_ = provider->name();
    }
    const auto post = [this, id = sentence.operation](ServiceEvent event) {
        event.operation = id;
        mailbox_.push(std::move(event));
    };
    TtsListener listener;
    listener.on_audio = [post](std::span<const std::uint8_t> mulaw) {
        post({.kind = ServiceEvent::Kind::tts_audio,
              .text = std::string(reinterpret_cast<const char*>(mulaw.data()), mulaw.size())});
    };
    listener.on_done = [post] { post({.kind = ServiceEvent::Kind::tts_done}); };
    listener.on_error = [post](const ProviderError& error) {
        post({.kind = ServiceEvent::Kind::tts_error, .error = error});
    };
    TtsConfig config;
    config.language = code_of(language_);
    config.first_audio_max = first_audio_max;
    sentence.running = provider->start(sentence.to_ask, config, std::move(listener));
}

bool Speaking::on_event(const ServiceEvent& event, TimePoint now) {
    const auto found = std::find_if(sentences_.begin(), sentences_.end(), [&](const Sentence& sentence) {
        return sentence.operation == event.operation && event.operation != 0;
    });
    if (found == sentences_.end()) {
        return false;
    }
    Sentence& sentence = *found;
    sentence.last_output = now;
    switch (event.kind) {
        case ServiceEvent::Kind::tts_audio:
            if (!first_audio_at_) {
                first_audio_at_ = now;
            }
            if (sentence.received + event.text.size() > sentence_bytes_max) {
                sentence.complete = true;
                sentence.operation = 0;
                sentence.running.reset();
                sentence.walk.cancelled();
                break;
            }
            sentence.audio += event.text;
            sentence.received += event.text.size();
            sentence.of_provider += event.text.size();
            break;
        case ServiceEvent::Kind::tts_done:
            sentence.operation = 0;
            sentence.running.reset();
            if (sentence.of_provider == 0) {
                ProviderError error;
                error.error_class = ProviderErrorClass::server;
                error.provider = std::string(sentence.walk.name());
                error.operation = "speak";
                error.message = "a sentence without any audio";
                fail(sentence, error, now);
            } else {
                sentence.walk.succeeded();
                sentence.complete = true;
            }
            break;
        case ServiceEvent::Kind::tts_error:
            fail(sentence, event.error, now);
            break;
        default:
            break;
    }
    return true;
}

void Speaking::fail(Sentence& sentence, const ProviderError& error, TimePoint now) {
    sentence.operation = 0;
    sentence.running.reset();
    if (const std::string line = services_.faults.line(error, now); !line.empty()) {
        services_.host.line(line);
    }
    ++services_.metrics.provider_failures;
    const bool repeat = sentence.of_provider < repeat_below;
    if (!repeat) {
        const auto said = static_cast<std::int64_t>(sentence.of_provider / 8);
        // A voice that talks slower than estimated has not said everything yet.
        const std::int64_t whole = std::max(estimated_speech_ms(sentence.to_ask), said * 10 / 9 + 1);
        sentence.to_ask = std::string(unsaid_part(sentence.to_ask, said, whole));
    } else {
        // What was not handed over yet need not be heard twice.
        sentence.received -= std::min(sentence.audio.size(), sentence.of_provider);
        sentence.audio.erase(sentence.audio.size() - std::min(sentence.audio.size(), sentence.of_provider));
    }
    TtsProvider* next = sentence.walk.failed(error, sentence.of_provider > 0, now);
    if (next == nullptr && sentence.received >= repeat_below) {  // Less is no sentence: the recorded one follows it.
        sentence.complete = true;
        return;
    }
    ask(sentence, next, now);
}

// A greeting is a greeting whatever fails. Asking to say it again helps against a fault, not against there being no
// voice.
void Speaking::say_recorded(Sentence& sentence, TimePoint now) {
    const bool has_voice = std::any_of(services_.tts.begin(), services_.tts.end(),
                                       [this](const auto& link) { return link.provider->speaks(code_of(language_)); });
    if (!has_voice) {
        ProviderError error;
        error.error_class = ProviderErrorClass::bad_request;
        error.provider = "none";
        error.operation = "speak";
        error.message =
            "there is no voice for " + std::string(code_of(language_)) + ": callers hear recorded sentences";
        error.remedy = "`agentlocator logs speech` says what the built-in voice lacks; or set the key of a service";
        if (const std::string line = services_.faults.line(error, now); !line.empty()) {
            services_.host.line(line);
        }
    }
    const bool greets = sentence.turn == 0 && sentence.number == 0 && sentence.received == 0;
    const RecordedSpeech recorded = recorded_speech(greets      ? Recorded::greeting
                                                    : has_voice ? Recorded::sorry
                                                                : Recorded::noted,
                                                    language_);
    sentence.text = recorded.text;
    sentence.audio.assign(reinterpret_cast<const char*>(recorded.mulaw.data()), recorded.mulaw.size());
    sentence.received = sentence.audio.size();
    sentence.recorded = true;
    sentence.complete = true;
    sentence.operation = 0;
    while (&sentences_.back() != &sentence) {
        sentences_.back().walk.cancelled();
        sentences_.pop_back();
    }
}

void Speaking::on_time(TimePoint now) {
    for (std::size_t i = 0; i < sentences_.size(); ++i) {
        Sentence& sentence = sentences_[i];
        const Duration most = sentence.of_provider == 0 ? first_audio_max : idle_max;
        if (sentence.operation == 0 || now < sentence.last_output + most) {
            continue;
        }
        ProviderError error;
        error.error_class = ProviderErrorClass::timeout;
        error.provider = std::string(sentence.walk.name());
        error.operation = "speak";
        error.message = sentence.of_provider == 0 ? "no audio in time" : "the audio stopped in the middle";
        error.remedy = "look at the service's status, or put another voice first in VOICE_TTS_CHAIN";
        fail(sentence, error, now);
    }
}

std::optional<TimePoint> Speaking::deadline() const {
    std::optional<TimePoint> due = sentences_.empty() ? std::nullopt : hold_;
    for (const Sentence& sentence : sentences_) {
        if (sentence.operation != 0) {
            const TimePoint at = sentence.last_output + (sentence.of_provider == 0 ? first_audio_max : idle_max);
            due = due ? std::min(*due, at) : at;
        }
    }
    return due;
}

}  // namespace agentlocator
