#include "worker/agent/talking.hpp"

#include <algorithm>

#include "worker/agent/speaking.hpp"

namespace agentlocator {

Talking::Talking(EventMailbox& mailbox, Outbox& outbox, RealtimeProvider& provider, const RealtimeConfig& config,
                 Hooks hooks)
    : outbox_(outbox), hooks_(std::move(hooks)), operation_(mailbox.new_operation()), provider_(provider.name()) {
    const auto post = [&mailbox, id = operation_](ServiceEvent event) {
        event.operation = id;
        mailbox.push(std::move(event));
    };
    RealtimeListener listener;
    listener.on_ready = [post](std::int64_t expires_at) {
        post({.kind = ServiceEvent::Kind::rt_ready, .expires_at = expires_at});
    };
    listener.on_audio = [post](std::string_view item, std::span<const std::uint8_t> mulaw) {
        post({.kind = ServiceEvent::Kind::rt_audio,
              .text = std::string(reinterpret_cast<const char*>(mulaw.data()), mulaw.size()),
              .item = std::string(item)});
    };
    listener.on_audio_done = [post](std::string_view item) {
        post({.kind = ServiceEvent::Kind::rt_audio_done, .item = std::string(item)});
    };
    listener.on_user_text = [post](std::uint32_t turn, std::string_view text) {
        post({.kind = ServiceEvent::Kind::rt_user_text, .text = std::string(text), .turn = turn});
    };
    listener.on_agent_text = [post](std::string_view item, std::string_view text, bool final) {
        post({.kind = ServiceEvent::Kind::rt_agent_text,
              .text = std::string(text),
              .item = std::string(item),
              .final = final});
    };
    listener.on_tool_call = [post](const ToolCall& call) { post({.kind = ServiceEvent::Kind::rt_tool, .tool = call}); };
    listener.on_turn_done = [post] { post({.kind = ServiceEvent::Kind::rt_turn_done}); };
    listener.on_error = [post](const ProviderError& error) {
        post({.kind = ServiceEvent::Kind::rt_error, .error = error});
    };
    session_ = provider.start(config, std::move(listener));
}

void Talking::expect(TimePoint now) {
    expecting_ = true;
    had_output_ = false;
    since_ = now;
}

void Talking::end_of_turn(std::uint32_t turn, TimePoint now) {
    expect(now);
    session_->end_of_turn(turn);
}

void Talking::hear(std::string_view text, TimePoint now) {
    expect(now);
    session_->hear(text);
}

void Talking::say(std::string_view text, TimePoint now) {
    expect(now);
    session_->say(text);
}

void Talking::go_on(const std::vector<std::pair<std::string, std::string>>& tool_results, std::string_view instructions,
                    TimePoint now) {
    expect(now);
    for (const auto& [id, result] : tool_results) {
        session_->tool_result(id, result);
    }
    session_->go_on(instructions);
}

void Talking::cancel() {
    if (expecting_) {
        session_->cancel();
    }
    expecting_ = false;
    done_ = false;
    tools_.clear();
    said_.clear();
    for (Item& item : items_) {
        item.audio.clear();
        item.told = true;
    }
}

void Talking::interrupted(std::uint32_t turn, std::uint32_t sentence, std::int64_t heard_ms) {
    for (const Item& item : items_) {
        if (item.place && item.place->turn == turn && item.place->sentence >= sentence) {
            session_->interrupted(item.id, std::chrono::milliseconds(item.place->sentence == sentence ? heard_ms : 0));
        }
    }
}

Talking::Item& Talking::item(const std::string& id) {
    const auto found = std::find_if(items_.begin(), items_.end(), [&](const Item& one) { return one.id == id; });
    if (found != items_.end()) {
        return *found;
    }
    if (items_.size() == items_kept) {
        items_.pop_front();
    }
    items_.emplace_back().id = id;
    return items_.back();
}

void Talking::on_audio(const ServiceEvent& event) {
    Item& one = item(event.item);
    if (one.told) {
        return;
    }
    if (!one.place) {
        one.place = hooks_.place();
        one.told = !one.place;
        if (one.told) {
            return;
        }
    }
    const std::size_t room = sentence_bytes_max - std::min(one.received, sentence_bytes_max);
    const std::size_t count = std::min(room, event.text.size());
    const bool first = one.received == 0;
    one.audio.append(event.text, 0, count);
    one.received += count;
    if (first) {
        said_.push_back({*one.place, one.text, 0});
    }
}

void Talking::on_words(const ServiceEvent& event) {
    Item& one = item(event.item);
    if (event.final) {
        one.text = event.text;
        one.text_final = true;
    } else if (!one.text_final) {
        one.text += event.text;
    }
    if (one.place && !one.told) {
        said_.push_back({*one.place, one.text, static_cast<std::int64_t>(one.received / 8)});
    }
}

bool Talking::on_event(const ServiceEvent& event, TimePoint now) {
    if (event.operation != operation_) {
        return false;
    }
    if (failure_) {
        return true;
    }
    if (event.kind == ServiceEvent::Kind::rt_ready) {  // No sign that an answer is coming.
        ready_ = event.expires_at;
        return true;
    }
    since_ = now;
    switch (event.kind) {
        case ServiceEvent::Kind::rt_audio:
            had_output_ = true;
            on_audio(event);
            break;
        case ServiceEvent::Kind::rt_audio_done:
            item(event.item).sound_over = true;
            break;
        case ServiceEvent::Kind::rt_agent_text:
            had_output_ = true;
            on_words(event);
            break;
        case ServiceEvent::Kind::rt_user_text:
            heard_.push_back({event.turn, event.text});
            break;
        case ServiceEvent::Kind::rt_tool:
            had_output_ = true;
            if (tools_.size() < tools_max) {
                tools_.push_back(event.tool);
            }
            break;
        case ServiceEvent::Kind::rt_turn_done:
            done_ = expecting_;
            expecting_ = false;
            for (Item& one : items_) {
                one.sound_over = one.text_final = true;
            }
            break;
        case ServiceEvent::Kind::rt_error:
            failure_ = event.error;
            break;
        default:
            break;
    }
    return true;
}

std::optional<TimePoint> Talking::deadline() const {
    return expecting_ && !failure_ ? std::optional(since_ + (had_output_ ? idle_max : first_max)) : std::nullopt;
}

void Talking::on_time(TimePoint now) {
    if (const auto due = deadline(); due && now >= *due) {
        ProviderError error;
        error.error_class = ProviderErrorClass::timeout;
        error.provider = provider_;
        error.operation = "converse";
        error.message = had_output_ ? "the answer stopped in the middle" : "no answer in time";
        error.remedy = "look at the service's status, or set VOICE_MODE=cascade";
        failure_ = std::move(error);
    }
}

std::optional<std::vector<ToolCall>> Talking::take_done() {
    if (!std::exchange(done_, false)) {
        return std::nullopt;
    }
    return std::exchange(tools_, {});
}

std::size_t Talking::open_items() const {
    return static_cast<std::size_t>(
        std::count_if(items_.begin(), items_.end(), [](const Item& one) { return one.place && !one.told; }));
}

void Talking::hand_over(Item& one, bool all) {
    while (!one.audio.empty() && (all || !outbox_.is_high())) {
        const std::size_t count = std::min(one.audio.size(), Speaking::piece_max);
        outbox_.add(FromAgent::speech, one.place->turn, one.place->sentence,
                    std::string_view(one.audio).substr(0, count), first_sent_ ? 0 : hooks_.first_value());
        one.audio.erase(0, count);
        first_sent_ = true;
    }
    if (one.audio.empty() && (all || (one.sound_over && one.text_final))) {
        outbox_.add(FromAgent::sentence_done, one.place->turn, one.place->sentence, one.text);
        said_.push_back({*one.place, one.text, static_cast<std::int64_t>(one.received / 8)});
        one.told = true;
    }
}

void Talking::run() {
    for (Item& one : items_) {
        if (one.place && !one.told) {
            hand_over(one, false);
            if (!one.told) {
                return;  // In order.
            }
        }
    }
}

void Talking::close() {
    for (Item& one : items_) {
        if (one.place && !one.told) {
            hand_over(one, true);
        }
    }
}

}  // namespace agentlocator
