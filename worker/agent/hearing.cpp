#include "worker/agent/hearing.hpp"

#include "common/text.hpp"

namespace agentlocator {

bool Hearing::possible(const AgentServices& services, const SttConfig& config) {
    return std::any_of(services.stt.begin(), services.stt.end(),
                       [&](const auto& link) { return link.provider->speaks(config.language, config); });
}

Hearing::Hearing(AgentServices& services, EventMailbox& mailbox, SttConfig config, std::uint32_t turn, TimePoint now)
    : services_(services),
      mailbox_(mailbox),
      config_(std::move(config)),
      turn_(turn),
      walk_(services.stt, [this](const SttProvider& provider) { return provider.speaks(config_.language, config_); }) {
    if (!possible(services, config_)) {
        state_ = State::unavailable;
        return;
    }
    ask(walk_.first(now), now);
}

Hearing::~Hearing() {
    walk_.cancelled();
}

void Hearing::ask(SttProvider* provider, TimePoint now) {
    deadline_.reset();
    if (provider == nullptr) {
        state_ = State::failed;
        return;
    }
    operation_ = mailbox_.new_operation();
    const auto post = [this, id = operation_](ServiceEvent event) {
        event.operation = id;
        mailbox_.push(std::move(event));
    };
    SttListener listener;
    listener.on_partial = [post](std::string_view text) {
        post({.kind = ServiceEvent::Kind::stt_partial, .text = std::string(text)});
    };
    listener.on_done = [post](std::string_view text) {
        post({.kind = ServiceEvent::Kind::stt_text, .text = std::string(text)});
    };
    listener.on_error = [post](const ProviderError& error) {
        post({.kind = ServiceEvent::Kind::stt_error, .error = error});
    };
    partial_.clear();
    utterance_ = provider->start(config_, std::move(listener));
    if (!audio_.empty()) {
        utterance_->push(audio_);
    }
    if (finished_) {
        utterance_->finish();
        deadline_ = now + result_max;
    }
}

void Hearing::push(std::span<const std::uint8_t> mulaw) {
    if (finished_ || state_ != State::listening || audio_.size() + mulaw.size() > audio_max) {
        return;
    }
    audio_.insert(audio_.end(), mulaw.begin(), mulaw.end());
    utterance_->push(mulaw);
}

void Hearing::finish(TimePoint now) {
    if (finished_) {
        return;
    }
    finished_ = true;
    if (state_ == State::listening) {
        state_ = State::waiting;
        utterance_->finish();
        deadline_ = now + result_max;
    }
}

bool Hearing::on_event(const ServiceEvent& event, TimePoint now) {
    if (event.operation != operation_ || operation_ == 0) {
        return false;
    }
    switch (event.kind) {
        case ServiceEvent::Kind::stt_partial:
            partial_ = event.text;
            break;
        case ServiceEvent::Kind::stt_text:
            operation_ = 0;
            utterance_.reset();
            deadline_.reset();
            walk_.succeeded();
            text_ = std::string(trim(event.text));
            state_ = State::done;
            break;
        case ServiceEvent::Kind::stt_error:
            fail(event.error, now);
            break;
        default:
            break;
    }
    return true;
}

void Hearing::on_time(TimePoint now) {
    if (deadline_ && now >= *deadline_) {
        ProviderError error;
        error.error_class = ProviderErrorClass::timeout;
        error.provider = std::string(walk_.name());
        error.operation = "transcribe";
        error.message =
            "no text " + std::to_string(result_max / std::chrono::milliseconds(1)) + " ms after the utterance";
        error.remedy = "use a streaming recogniser or another one first in VOICE_STT_CHAIN";
        fail(error, now);
    }
}

void Hearing::fail(const ProviderError& error, TimePoint now) {
    operation_ = 0;
    utterance_.reset();
    if (const std::string line = services_.faults.line(error, now); !line.empty()) {
        services_.host.line(line);
    }
    ++services_.metrics.provider_failures;
    ask(walk_.failed(error, false, now), now);
}

}  // namespace agentlocator
