// Which call has work, and when.
#include "worker/agent/io/agent_thread.hpp"

namespace agentlocator {

void AgentCalls::wake(const Key& key) {
    const auto found = calls_.find(key);
    if (found != calls_.end() && !found->second.ready) {
        found->second.ready = true;
        ready_.push_back(key);
    }
}

void AgentCalls::on_message(const ToAgentMessage& message, TimePoint now) {
    const Key key{message.slot, message.call};
    auto found = calls_.find(key);
    if (message.kind == ToAgent::call_started || message.kind == ToAgent::call_resumed) {
        if (found != calls_.end()) {  // Told again because messages were lost: the memory is the truth.
            if (found->second.due) {
                due_.erase({*found->second.due, key});
            }
            full_.erase(key);
            calls_.erase(found);
        }
        found = calls_.try_emplace(key).first;
        PersonaPtr persona;
        if (services_.own_settings) {
            persona = make_persona(services_.settings, services_.prompt,
                                   services_.own_settings(CallAgent::called_number(message.payload)));
        }
        found->second.agent = std::make_unique<CallAgent>(
            services_, message.slot, message.call, [this, key] { wake(key); }, std::move(persona));
    }
    if (found == calls_.end()) {
        return;
    }
    found->second.agent->on_message(message, now);
    wake(key);
}

void AgentCalls::look_at(const Key& key, Entry& entry, TimePoint now) {
    entry.agent->run(now);
    if (entry.agent->flush(output_, now)) {
        full_.erase(key);
    } else {
        full_.insert(key);
    }
    const auto due = entry.agent->deadline();
    if (due != entry.due) {
        if (entry.due) {
            due_.erase({*entry.due, key});
        }
        entry.due = due;
        if (due) {
            due_.insert({*due, key});
        }
    }
}

void AgentCalls::work(TimePoint now) {
    while (!due_.empty() && due_.begin()->first <= now) {
        const auto [at, key] = *due_.begin();
        due_.erase(due_.begin());
        if (const auto found = calls_.find(key); found != calls_.end()) {
            found->second.due.reset();
            wake(key);
        }
    }
    for (const Key& key : full_) {
        wake(key);
    }
    // What wakes while we look is looked at in the next round, so that the loop's sockets have their turn.
    std::vector<Key> ready;
    ready.swap(ready_);
    for (const Key& key : ready) {
        const auto found = calls_.find(key);
        if (found == calls_.end()) {
            continue;
        }
        found->second.ready = false;
        look_at(key, found->second, now);
        if (found->second.agent->over()) {
            if (found->second.due) {
                due_.erase({*found->second.due, key});
            }
            full_.erase(key);
            calls_.erase(found);
        }
    }
}

std::optional<TimePoint> AgentCalls::deadline(TimePoint now) const {
    if (!ready_.empty()) {
        return now;
    }
    std::optional<TimePoint> due = due_.empty() ? std::nullopt : std::optional<TimePoint>(due_.begin()->first);
    if (!full_.empty()) {
        due = due ? std::min(*due, now + AgentThread::retry_full) : now + AgentThread::retry_full;
    }
    return due;
}

}  // namespace agentlocator
