#include "worker/metrics_text.hpp"

#include <array>
#include <cstdio>

namespace agentlocator {

namespace {

struct Label {
    std::string_view name;
    std::string_view value;
};

class Page {
public:
    void metric(std::string_view name, std::string_view type, std::string_view help) {
        name_ = name;
        text_.append("# HELP ").append(name).append(" ").append(help).append("\n");
        text_.append("# TYPE ").append(name).append(" ").append(type).append("\n");
    }

    // `suffix`: of the series of a histogram.
    void sample(std::initializer_list<Label> labels, const std::string& value, std::string_view suffix = {}) {
        text_.append(name_).append(suffix);
        const char* before = "{";
        for (const Label& label : labels) {
            text_.append(before).append(label.name).append("=\"").append(label_value(label.value)).append("\"");
            before = ",";
        }
        text_.append(labels.size() > 0 ? "} " : " ").append(value).append("\n");
    }

    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    std::string_view name_;
    std::string text_;
};

struct Counter {
    std::string_view name;
    std::string_view type;
    std::string_view help;
    std::uint64_t WorkerMetrics::*value;
};

constexpr std::array<Counter, 7> per_worker{{
    {"agentlocator_worker_calls", "gauge", "Calls a worker carries now.", &WorkerMetrics::calls},
    {"agentlocator_worker_calls_served_total", "counter", "Calls a worker has finished.", &WorkerMetrics::calls_served},
    {"agentlocator_worker_connections", "gauge", "HTTP connections open now.", &WorkerMetrics::connections},
    {"agentlocator_worker_requests_total", "counter", "HTTP requests answered.", &WorkerMetrics::requests},
    {"agentlocator_worker_refused_total", "counter", "Requests and streams turned away.", &WorkerMetrics::refused},
    {"agentlocator_worker_log_lines_dropped_total", "counter", "Log lines lost because the reader was too slow.",
     &WorkerMetrics::log_lines_dropped},
    {"agentlocator_worker_conversations", "gauge", "Conversations the agent thread has in hand.",
     &WorkerMetrics::conversations},
}};

std::string seconds_text(double seconds) {
    std::array<char, 32> out{};
    std::snprintf(out.data(), out.size(), "%.3f", seconds);
    return out.data();
}

std::string_view or_dev(std::string_view text) {
    return text.empty() ? "dev" : text;
}

void add_installation(Page& page, const WebContext& context, bool ready) {
    page.metric("agentlocator_build_info", "gauge", "Always 1; the labels say which build answers.");
    page.sample({{"version", context.build.version},
                 {"build", or_dev(context.build.build)},
                 {"commit", or_dev(context.build.commit)},
                 {"instance", context.instance}},
                "1");
    page.metric("agentlocator_start_time_seconds", "gauge", "When this installation started, seconds since 1970.");
    page.sample({}, std::to_string(context.started_at));
    page.metric("agentlocator_ready", "gauge", "1 when nothing is degraded.");
    page.sample({}, ready ? "1" : "0");
    page.metric("agentlocator_mode", "gauge", "1 for the mode of new calls; anything but AI is for debugging.");
    for (const WsMode mode : {WsMode::ai, WsMode::echo, WsMode::sink}) {
        page.sample({{"mode", to_string(mode)}}, context.mode == mode ? "1" : "0");
    }
    page.metric("agentlocator_calls", "gauge", "Live calls.");
    page.sample({}, std::to_string(context.live_calls));
    page.metric("agentlocator_calls_max", "gauge", "Calls that can be carried at once.");
    page.sample({}, std::to_string(context.call_capacity));
    page.metric("agentlocator_poisoned_calls_total", "counter",
                "Calls closed because handling them ended two workers.");
    page.sample({}, std::to_string(context.poisoned));
    page.metric("agentlocator_resumed_calls_total", "counter",
                "Streams that went on with a call whose connection was lost.");
    page.sample({}, std::to_string(context.resumed));
}

// Of the answering worker: the others' writers are in their own memory.
void add_store(Page& page, const WebContext& context) {
    const StoreMetrics& store = context.store;
    const auto add = [&](std::string_view name, std::string_view type, std::string_view help, std::uint64_t value) {
        page.metric(name, type, help);
        page.sample({{"worker", context.worker}}, std::to_string(value));
    };
    add("agentlocator_store_up", "gauge", "Whether the database takes facts.", store.database == "ok" ? 1 : 0);
    add("agentlocator_store_facts_total", "counter", "Facts told to the store.", store.told);
    add("agentlocator_store_applied_total", "counter", "Facts the database has.", store.applied);
    add("agentlocator_store_rejected_total", "counter", "Facts set aside in rejected.jsonl.", store.rejected);
    add("agentlocator_store_lost_total", "counter", "Facts refused: spool or disk full.", store.lost);
    add("agentlocator_store_spool_bytes", "gauge", "Facts that wait for the database.", store.spool_bytes);
}

std::string number_text(double value) {
    std::array<char, 32> out{};
    std::snprintf(out.data(), out.size(), "%.10g", value);
    return out.data();
}

// The count is that of the last bucket, so that the two agree whatever another process adds meanwhile. `stage` empty:
// the metric has but one.
void add_histogram(Page& page, std::string_view stage, const LatencyHistogram& histogram) {
    const auto sample = [&](std::string_view bound, const std::string& value, std::string_view suffix) {
        if (stage.empty() && bound.empty()) {
            page.sample({}, value, suffix);
        } else if (stage.empty()) {
            page.sample({{"le", bound}}, value, suffix);
        } else if (bound.empty()) {
            page.sample({{"stage", stage}}, value, suffix);
        } else {
            page.sample({{"stage", stage}, {"le", bound}}, value, suffix);
        }
    };
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
        sum += histogram.counts[i].load(std::memory_order_relaxed);
        const std::string bound = i < histogram.bounds.size() ? number_text(histogram.bounds[i] / 1000.0) : "+Inf";
        sample(bound, std::to_string(sum), "_bucket");
    }
    const auto us = static_cast<double>(histogram.sum_us.load(std::memory_order_relaxed));
    sample({}, number_text(us / 1e6), "_sum");
    sample({}, std::to_string(sum), "_count");
}

void add_messages(Page& page, const MessageMetrics& metrics) {
    const auto counter = [&](std::string_view name, std::string_view help) { page.metric(name, "counter", help); };
    const auto one = [&](std::string_view name, std::string_view help, const std::atomic<std::uint64_t>& value) {
        counter(name, help);
        page.sample({}, std::to_string(value.load(std::memory_order_relaxed)));
    };
    const auto by = [&](std::string_view label, const auto& names, const auto& values) {
        for (std::size_t i = 0; i < names.size(); ++i) {
            page.sample({{label, names[i]}}, std::to_string(values[i].load(std::memory_order_relaxed)));
        }
    };
    one("agentlocator_messages_received_total", "WhatsApp messages handed in.", metrics.received);
    counter("agentlocator_messages_answered_total", "Those that were answered.");
    by("by", answered_by_names, metrics.answered);
    counter("agentlocator_messages_ignored_total", "Those that are not answered, and why.");
    by("reason", unanswered_names, metrics.unanswered);
    one("agentlocator_messages_failed_total", "Tries that brought no answer; the message is tried again.",
        metrics.failed);
    counter("agentlocator_voice_notes_total", "Voice notes that became text, or for which a text was asked.");
    page.sample({{"result", "understood"}}, std::to_string(metrics.notes_understood.load(std::memory_order_relaxed)));
    page.sample({{"result", "asked_for_text"}},
                std::to_string(metrics.notes_not_understood.load(std::memory_order_relaxed)));
    page.metric("agentlocator_message_answer_seconds", "histogram", "From a message in the store to its answer there.");
    add_histogram(page, {}, metrics.answer);
}

void add_conversations(Page& page, const AgentMetrics& metrics) {
    page.metric("agentlocator_turn_seconds", "histogram",
                "From the caller's last voice until a stage of the answer was ready; own: what we added ourselves.");
    add_histogram(page, "end_of_turn", metrics.end_of_turn);
    add_histogram(page, "stt", metrics.stt);
    add_histogram(page, "llm", metrics.llm);
    add_histogram(page, "tts", metrics.tts);
    add_histogram(page, "sent", metrics.sent);
    add_histogram(page, "own", metrics.own);
    const auto add = [&](std::string_view name, std::string_view help, const std::atomic<std::uint64_t>& value) {
        page.metric(name, "counter", help);
        page.sample({}, std::to_string(value.load(std::memory_order_relaxed)));
    };
    add("agentlocator_turns_total", "Answers to what a caller said.", metrics.turns);
    add("agentlocator_turns_failed_total", "Answers that were an apology.", metrics.failed_turns);
    add("agentlocator_turns_interrupted_total", "Answers a caller cut into.", metrics.interrupted);
    add("agentlocator_turns_provider_failures_total", "Failures that made another service, or an apology, necessary.",
        metrics.provider_failures);
}

void add_providers(Page& page, const std::vector<WorkerMetrics>& workers) {
    const auto add = [&](std::string_view name, std::string_view type, std::string_view help, auto value) {
        page.metric(name, type, help);
        for (const WorkerMetrics& worker : workers) {
            for (const ProviderMetrics& provider : worker.providers) {
                page.sample({{"worker", worker.worker}, {"stage", provider.stage}, {"provider", provider.name}},
                            std::to_string(provider.*value));
            }
        }
    };
    add("agentlocator_provider_breaker", "gauge", "0: asked; 1: left alone after failures; 2: being tried again.",
        &ProviderMetrics::breaker);
    add("agentlocator_provider_started_total", "counter", "Operations a worker began at a service.",
        &ProviderMetrics::started);
    add("agentlocator_provider_failed_total", "counter", "Those that failed.", &ProviderMetrics::failed);
}

}  // namespace

std::string metrics_text(const WebContext& context, const std::vector<WorkerMetrics>& workers, bool ready) {
    Page page;
    add_installation(page, context, ready);
    for (const Counter& counter : per_worker) {
        page.metric(counter.name, counter.type, counter.help);
        for (const WorkerMetrics& worker : workers) {
            page.sample({{"worker", worker.worker}}, std::to_string(worker.*counter.value));
        }
    }
    page.metric("agentlocator_worker_media_frames_total", "counter", "Media messages by direction.");
    for (const WorkerMetrics& worker : workers) {
        page.sample({{"worker", worker.worker}, {"direction", "in"}}, std::to_string(worker.frames_in));
        page.sample({{"worker", worker.worker}, {"direction", "out"}}, std::to_string(worker.frames_out));
    }
    page.metric("agentlocator_worker_heartbeat_age_seconds", "gauge", "Since the media thread last turned its loop.");
    for (const WorkerMetrics& worker : workers) {
        page.sample({{"worker", worker.worker}}, seconds_text(worker.heartbeat_age_seconds));
    }
    add_store(page, context);
    if (context.conversations != nullptr) {
        add_conversations(page, *context.conversations);
    }
    if (context.messages != nullptr) {
        add_messages(page, *context.messages);
    }
    add_providers(page, workers);
    return page.take();
}

std::string label_value(std::string_view value) {
    std::string out;
    for (const char c : value) {
        switch (c) {
            case '\\':
                out += "\\\\";
                break;
            case '"':
                out += "\\\"";
                break;
            case '\n':
                out += "\\n";
                break;
            default:
                out += c;
        }
    }
    return out;
}

}  // namespace agentlocator
