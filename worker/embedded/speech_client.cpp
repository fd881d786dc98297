#include "worker/embedded/speech_client.hpp"

#include <algorithm>

namespace agentlocator {
namespace {

constexpr char restart_remedy[] = "`agentlocator logs speech` says why; `agentlocator restart speech` starts it again";
constexpr std::size_t error_message_max = 300;  // provider.hpp, rule 4.

ProviderErrorClass to_class(SpeechFailure::Kind kind) {
    switch (kind) {
        case SpeechFailure::Kind::bad_request:
            return ProviderErrorClass::bad_request;
        case SpeechFailure::Kind::overloaded:
            return ProviderErrorClass::rate_limited;
        case SpeechFailure::Kind::unavailable:
        case SpeechFailure::Kind::engine:
            break;
    }
    return ProviderErrorClass::server;
}

}  // namespace

SpeechOperationId SpeechClient::speak(TimePoint now, SpeakRequest request, Duration first_audio_max) {
    const SpeechOperationId id = next_id_++;
    Operation& operation = operations_[id];
    operation.request = encode(request);
    operation.deadline = now + (first_audio_max > Duration::zero() ? first_audio_max : first_audio_usual);
    if (request.text.size() > speech_text_max) {
        fail(operations_.find(id), ProviderErrorClass::bad_request,
             "a sentence of " + std::to_string(request.text.size()) + " bytes; at most " +
                 std::to_string(speech_text_max) + " are spoken at once",
             "");
    } else if (ready_) {
        send(id, operation);
    }
    return id;
}

SpeechOperationId SpeechClient::listen(ListenRequest request) {
    const SpeechOperationId id = next_id_++;
    Operation& operation = operations_[id];
    operation.listens = true;
    operation.request = encode(request);
    const bool fits = request.phrases.size() <= speech_phrases_max &&
                      std::all_of(request.phrases.begin(), request.phrases.end(),
                                  [](const std::string& phrase) { return phrase.size() <= speech_phrase_bytes_max; });
    if (!fits) {
        fail(operations_.find(id), ProviderErrorClass::bad_request,
             "too many or too long phrases; at most " + std::to_string(speech_phrases_max) + " of " +
                 std::to_string(speech_phrase_bytes_max) + " bytes are recognised",
             "");
    } else if (ready_) {
        send(id, operation);
    }
    return id;
}

void SpeechClient::audio(SpeechOperationId id, std::span<const std::uint8_t> mulaw) {
    const auto at = operations_.find(id);
    if (at == operations_.end() || at->second.finished) {
        return;
    }
    std::string& kept = at->second.audio;
    if (kept.size() + mulaw.size() > utterance_bytes_max) {
        if (ready_) {
            append_speech_frame(outgoing_, SpeechKind::cancel, id);
        }
        fail(at, ProviderErrorClass::bad_request, "an utterance of more than 30 s", "lower MAX_UTT_SEC");
        return;
    }
    kept.append(reinterpret_cast<const char*>(mulaw.data()), mulaw.size());
    for (std::size_t from = 0; ready_ && from < mulaw.size(); from += speech_payload_max) {
        append_speech_frame(outgoing_, SpeechKind::audio, id,
                            mulaw.subspan(from, std::min(speech_payload_max, mulaw.size() - from)));
    }
}

void SpeechClient::finish(TimePoint now, SpeechOperationId id) {
    const auto at = operations_.find(id);
    if (at == operations_.end() || std::exchange(at->second.finished, true)) {
        return;
    }
    at->second.deadline = now + result_max;
    if (ready_) {
        append_speech_frame(outgoing_, SpeechKind::finish, id);
    }
}

void SpeechClient::cancel(SpeechOperationId id) {
    const auto at = operations_.find(id);
    if (at == operations_.end()) {
        return;
    }
    if (ready_ && at->second.sent) {
        append_speech_frame(outgoing_, SpeechKind::cancel, id);
    }
    operations_.erase(at);
}

void SpeechClient::on_connected() {
    reader_ = SpeechFrameReader();
    outgoing_.clear();
    append_speech_frame(outgoing_, SpeechKind::hello, 0, std::to_string(speech_protocol_version));
}

void SpeechClient::on_unreachable(const std::string& reason) {
    while (!operations_.empty()) {
        fail(operations_.begin(), ProviderErrorClass::network, "the speech helper cannot be reached: " + reason,
             restart_remedy);
    }
}

void SpeechClient::on_disconnected(const std::string& reason) {
    ready_ = false;
    outgoing_.clear();
    for (auto at = operations_.begin(); at != operations_.end();) {
        const auto next = std::next(at);
        Operation& operation = at->second;
        if (std::exchange(operation.sent, false) &&
            (operation.delivered || std::exchange(operation.asked_again, true))) {
            fail(at, ProviderErrorClass::network, "the speech helper was lost: " + reason, restart_remedy);
        }
        at = next;
    }
}

void SpeechClient::on_deadline(TimePoint now) {
    for (auto at = operations_.begin(); at != operations_.end();) {
        const auto next = std::next(at);
        if (at->second.deadline && *at->second.deadline <= now) {
            if (ready_ && at->second.sent) {
                append_speech_frame(outgoing_, SpeechKind::cancel, at->first);
            }
            fail(at, ProviderErrorClass::timeout,
                 at->second.listens ? "the speech helper gave no result in time"
                                    : "the speech helper gave no audio in time",
                 restart_remedy);
        }
        at = next;
    }
}

std::optional<TimePoint> SpeechClient::deadline() const {
    std::optional<TimePoint> earliest;
    for (const auto& [id, operation] : operations_) {
        if (operation.deadline && (!earliest || *operation.deadline < *earliest)) {
            earliest = operation.deadline;
        }
    }
    return earliest;
}

void SpeechClient::send(SpeechOperationId id, Operation& operation) {
    operation.sent = true;
    append_speech_frame(outgoing_, operation.listens ? SpeechKind::listen : SpeechKind::speak, id, operation.request);
    const std::string_view audio = operation.audio;
    for (std::size_t from = 0; from < audio.size(); from += speech_payload_max) {
        append_speech_frame(outgoing_, SpeechKind::audio, id, audio.substr(from, speech_payload_max));
    }
    if (operation.finished) {
        append_speech_frame(outgoing_, SpeechKind::finish, id);
    }
}

Result<void> SpeechClient::on_bytes(TimePoint now, std::span<const std::uint8_t> bytes) {
    reader_.push(bytes);
    while (true) {
        const auto frame = reader_.next();
        if (!frame) {
            return frame.error();
        }
        if (!*frame) {
            return {};
        }
        if (auto taken = take(now, **frame); !taken) {
            return taken;
        }
    }
}

Result<void> SpeechClient::take(TimePoint now, const SpeechFrame& frame) {
    if (frame.kind == SpeechKind::ready) {
        auto abilities = parse_speech_abilities(frame.text());
        if (!abilities) {
            return abilities.error();
        }
        abilities_ = std::move(*abilities);
        ready_ = true;
        for (auto& [id, operation] : operations_) {
            if (!operation.sent) {
                send(id, operation);
            }
        }
        return {};
    }
    if (frame.kind < SpeechKind::ready) {
        return error(Errc::bad_message, "the helper sent a request");
    }
    if (frame.kind == SpeechKind::failed && frame.id == 0) {
        const auto failure = parse_speech_failure(frame.text());
        return error(Errc::refused, failure ? failure->message : failure.error().detail);
    }
    if (const auto at = operations_.find(frame.id); at != operations_.end()) {
        take_output(now, frame, at);  // Else: cancelled while the answer was on its way.
    }
    return {};
}

void SpeechClient::take_output(TimePoint now, const SpeechFrame& frame, Operations::iterator at) {
    switch (frame.kind) {
        case SpeechKind::speech:
            at->second.delivered = true;
            at->second.deadline = now + audio_idle_max;
            events_.push_back({SpeechEvent::Kind::audio, frame.id, std::string(frame.text()), {}});
            break;
        case SpeechKind::partial:
            events_.push_back({SpeechEvent::Kind::partial, frame.id, std::string(frame.text()), {}});
            break;
        case SpeechKind::spoken:
            if (at->second.delivered) {
                end(at, SpeechEvent::Kind::spoken, "");
            } else {
                fail(at, ProviderErrorClass::server, "there is nothing to be spoken in the text", "");
            }
            break;
        case SpeechKind::heard:
            end(at, SpeechEvent::Kind::heard, frame.text());
            break;
        case SpeechKind::failed: {
            const auto failure = parse_speech_failure(frame.text());
            fail(at, failure ? to_class(failure->kind) : ProviderErrorClass::protocol,
                 failure ? failure->message : failure.error().detail, failure ? failure->remedy : "");
            break;
        }
        case SpeechKind::hello:
        case SpeechKind::speak:
        case SpeechKind::cancel:
        case SpeechKind::listen:
        case SpeechKind::audio:
        case SpeechKind::finish:
        case SpeechKind::ready:
            break;  // Taken care of above.
    }
}

void SpeechClient::end(Operations::iterator at, SpeechEvent::Kind kind, std::string_view text) {
    events_.push_back({kind, at->first, std::string(text), {}});
    operations_.erase(at);
}

void SpeechClient::fail(Operations::iterator at, ProviderErrorClass error_class, std::string message,
                        std::string remedy) {
    ProviderError problem;
    problem.error_class = error_class;
    problem.provider = "embedded";
    problem.operation = at->second.listens ? "transcribe" : "speak";
    problem.message = message.substr(0, error_message_max);
    problem.remedy = std::move(remedy);
    problem.after_output = at->second.delivered;
    events_.push_back({SpeechEvent::Kind::failed, at->first, "", std::move(problem)});
    operations_.erase(at);
}

}  // namespace agentlocator
