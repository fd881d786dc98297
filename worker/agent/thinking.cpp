#include "worker/agent/thinking.hpp"

namespace agentlocator {

Thinking::Thinking(AgentServices& services, EventMailbox& mailbox, LlmRequest request, TimePoint now)
    : services_(services), mailbox_(mailbox), request_(std::move(request)), walk_(services.llm) {
    request_.first_token_max = first_token_max;
    request_.idle_max = idle_max;
    request_.total_max = total_max;
    ask(walk_.first(now), now);
}

Thinking::~Thinking() {
    walk_.cancelled();
}

void Thinking::ask(LlmProvider* provider, TimePoint now) {
    if (provider == nullptr) {
        end(State::failed);
        return;
    }
    operation_ = mailbox_.new_operation();
    started_ = last_output_ = now;
    had_output_ = false;
    const auto post = [this, id = operation_](ServiceEvent event) {
        event.operation = id;
        mailbox_.push(std::move(event));
    };
    LlmListener listener;
    listener.on_text = [post](std::string_view text) {
        post({.kind = ServiceEvent::Kind::llm_text, .text = std::string(text)});
    };
    listener.on_tool_call = [post](const ToolCall& call) {
        post({.kind = ServiceEvent::Kind::llm_tool, .tool = call});
    };
    listener.on_done = [post](LlmFinish finish) { post({.kind = ServiceEvent::Kind::llm_done, .finish = finish}); };
    listener.on_error = [post](const ProviderError& error) {
        post({.kind = ServiceEvent::Kind::llm_error, .error = error});
    };
    if (said_.empty()) {
        running_ = provider->start(request_, std::move(listener));
        return;
    }
    LlmRequest rest = request_;
    ChatMessage spoken;
    spoken.role = ChatMessage::Role::assistant;
    spoken.content = said_;
    rest.messages.push_back(std::move(spoken));
    ChatMessage nudge;
    nudge.role = ChatMessage::Role::system;
    nudge.content = continue_prompt;
    rest.messages.push_back(std::move(nudge));
    running_ = provider->start(rest, std::move(listener));
}

bool Thinking::on_event(const ServiceEvent& event, TimePoint now) {
    if (event.operation != operation_ || operation_ == 0) {
        return false;
    }
    last_output_ = now;
    had_output_ = true;
    switch (event.kind) {
        case ServiceEvent::Kind::llm_text:
            if (!first_text_at_) {
                first_text_at_ = now;
            }
            splitter_.push(event.text);
            while (auto sentence = splitter_.next()) {
                said_ += (said_.empty() ? "" : " ") + *sentence;
                sentences_.push_back(std::move(*sentence));
            }
            break;
        case ServiceEvent::Kind::llm_tool:
            if (tools_.size() < tools_max) {
                tools_.push_back(event.tool);
            }
            break;
        case ServiceEvent::Kind::llm_done:
            walk_.succeeded();
            stop();
            if (sentences_.empty() && said_.empty() && tools_.empty()) {
                end(State::failed);  // An answer of marks alone; the caller must hear something.
            }
            break;
        case ServiceEvent::Kind::llm_error:
            fail(event.error, now);
            break;
        default:
            break;
    }
    return true;
}

void Thinking::stop() {
    walk_.cancelled();
    if (state_ == State::running) {
        while (auto sentence = splitter_.finish()) {
            said_ += (said_.empty() ? "" : " ") + *sentence;
            sentences_.push_back(std::move(*sentence));
        }
        end(State::finished);
    }
}

void Thinking::end(State state) {
    state_ = state;
    operation_ = 0;
    running_.reset();
}

std::optional<TimePoint> Thinking::deadline() const {
    if (state_ != State::running) {
        return std::nullopt;
    }
    return std::min(had_output_ ? last_output_ + idle_max : started_ + first_token_max, started_ + total_max);
}

void Thinking::on_time(TimePoint now) {
    const auto due = deadline();
    if (!due || now < *due) {
        return;
    }
    if (now >= started_ + total_max && !said_.empty()) {
        walk_.succeeded();  // It works, it only does not stop.
        stop();
        return;
    }
    ProviderError error;
    error.error_class = ProviderErrorClass::timeout;
    error.provider = std::string(walk_.name());
    error.operation = "chat";
    error.message = had_output_ ? "the answer stopped in the middle" : "no answer in time";
    error.remedy = "look at the service's status, or put another one first in VOICE_LLM_CHAIN";
    fail(error, now);
}

void Thinking::fail(const ProviderError& error, TimePoint now) {
    running_.reset();
    operation_ = 0;
    if (const std::string line = services_.faults.line(error, now); !line.empty()) {
        services_.host.line(line);
    }
    // Half a sentence is not said; the tools of an answer that broke off are not run.
    splitter_ = SentenceSplitter();
    tools_.clear();
    ++services_.metrics.provider_failures;
    const bool delivered = !said_.empty();
    LlmProvider* next = walk_.failed(error, delivered, now);
    if (next == nullptr && delivered) {
        end(State::finished);  // What was said is an answer.
        return;
    }
    ask(next, now);
}

std::optional<std::string> Thinking::next_sentence() {
    if (sentences_.empty()) {
        return std::nullopt;
    }
    std::string sentence = std::move(sentences_.front());
    sentences_.pop_front();
    return sentence;
}

}  // namespace agentlocator
