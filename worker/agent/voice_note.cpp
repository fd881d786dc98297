#include "worker/agent/voice_note.hpp"

#include <array>
#include <utility>

#include "common/text.hpp"
#include "worker/agent/spoken_text.hpp"

namespace agentlocator {

std::string_view sound_file_name(std::string_view mime) {
    // OpenAI API reference, Create transcription: flac, mp3, mp4, mpeg, mpga, m4a, ogg, wav, webm.
    struct Kind {
        std::string_view mime;
        std::string_view name;
    };
    constexpr std::array<Kind, 10> kinds{{{"audio/ogg", "voice.ogg"},
                                          {"audio/opus", "voice.ogg"},
                                          {"audio/mpeg", "voice.mp3"},
                                          {"audio/mp4", "voice.m4a"},
                                          {"audio/m4a", "voice.m4a"},
                                          {"audio/x-m4a", "voice.m4a"},
                                          {"audio/wav", "voice.wav"},
                                          {"audio/x-wav", "voice.wav"},
                                          {"audio/webm", "voice.webm"},
                                          {"audio/flac", "voice.flac"}}};
    const std::string_view type = trim(mime.substr(0, mime.find(';')));  // "audio/ogg; codecs=opus"
    for (const Kind& kind : kinds) {
        if (equal_no_case(type, kind.mime)) {
            return kind.name;
        }
    }
    return {};
}

VoiceNote::VoiceNote(Transcribers& chain, MediaSource& media, Wanted wanted, std::function<void()> wake,
                     std::function<void(const ProviderError&)> told, TimePoint now)
    : walk_(chain), wanted_(std::move(wanted)), wake_(std::move(wake)), told_(std::move(told)) {
    if (chain.empty()) {
        end(State::impossible, "no recogniser takes files");
        return;
    }
    due_ = now + fetch_max;
    operation_ = media.fetch(wanted_.provider, wanted_.url, bytes_max, [this](MediaSource::File file) {
        fetched_ = std::move(file);
        wake_();
    });
    if (!operation_) {
        end(State::impossible, "no address to fetch it from");
    }
}

VoiceNote::~VoiceNote() {
    walk_.cancelled();
}

void VoiceNote::end(State state, std::string problem) {
    state_ = state;
    problem_ = std::move(problem);
    due_.reset();
    operation_.reset();
}

void VoiceNote::run(TimePoint now) {
    if (state_ == State::running && fetched_) {
        take_file(now);
    }
    if (state_ == State::running && heard_) {
        take_heard(now);
    }
    if (state_ == State::running && due_ && now >= *due_) {
        if (file_.bytes.empty()) {
            return end(State::failed, "the file did not come in time");
        }
        ProviderError late;
        late.error_class = ProviderErrorClass::timeout;
        late.provider = std::string(walk_.name());
        late.operation = "transcribe";
        late.message = "no text of a voice note in time";
        heard_ = Heard{.text = {}, .error = late};
        take_heard(now);
    }
}

void VoiceNote::take_file(TimePoint now) {
    MediaSource::File file = *std::exchange(fetched_, std::nullopt);
    operation_.reset();
    if (!file.problem.empty()) {
        return end(file.later ? State::failed : State::impossible, std::move(file.problem));
    }
    if (file.sound.bytes.empty() || sound_file_name(file.sound.mime).empty()) {
        return end(State::impossible, "it is no sound that recognisers read");
    }
    file_ = std::move(file.sound);
    ask(walk_.first(now), now);
}

void VoiceNote::ask(FileTranscriber* transcriber, TimePoint now) {
    operation_.reset();
    if (transcriber == nullptr) {
        return readable_ || problem_.empty() ? end(State::failed, "no recogniser answers now")
                                             : end(State::impossible, std::move(problem_));
    }
    due_ = now + transcribe_max;
    SttListener listener;
    listener.on_done = [this](std::string_view text) {
        heard_ = Heard{.text = std::string(text), .error = {}};
        wake_();
    };
    listener.on_error = [this](const ProviderError& error) {
        heard_ = Heard{.text = {}, .error = error};
        wake_();
    };
    operation_ = transcriber->start(file_, wanted_.language, std::move(listener));
}

void VoiceNote::take_heard(TimePoint now) {
    const Heard heard = *std::exchange(heard_, std::nullopt);
    if (!heard.error) {
        walk_.succeeded();
        text_ = std::string(cut_utf8(trim(heard.text), text_bytes_max));
        return end(State::done);
    }
    told_(*heard.error);
    readable_ = readable_ || heard.error->error_class != ProviderErrorClass::bad_request;
    problem_ = heard.error->message;
    ask(walk_.failed(*heard.error, false, now), now);
}

}  // namespace agentlocator
