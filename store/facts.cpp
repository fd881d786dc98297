#include "store/facts.hpp"

#include <nlohmann/json.hpp>
#include <type_traits>

#include "store/clean_text.hpp"

namespace agentlocator {
namespace {

using Json = nlohmann::json;

// Each fact's fields, once: for reading and for writing. The names are a file format (the spool): never rename one.
template <class Visit>
void visit(Visit&& on, CallFact& f) {
    on("call_sid", f.call_sid), on("from", f.from), on("to", f.to), on("direction", f.direction);
    on("status", f.status), on("stream_sid", f.stream_sid), on("mode", f.mode), on("end_reason", f.end_reason);
    on("started_at", f.started_at), on("stream_started_at", f.stream_started_at), on("ended_at", f.ended_at);
    on("duration_s", f.duration_s), on("frames_in", f.frames_in), on("frames_out", f.frames_out);
    on("stream_rank", f.stream_rank);
}
template <class Visit>
void visit(Visit&& on, TurnFact& f) {
    on("call_sid", f.call_sid), on("turn", f.turn), on("speaker", f.speaker), on("text", f.text);
    on("said_at", f.said_at), on("interrupted", f.interrupted), on("end_of_turn_ms", f.end_of_turn_ms);
    on("stt_ms", f.stt_ms), on("llm_ms", f.llm_ms), on("tts_ms", f.tts_ms), on("heard_ms", f.heard_ms);
    on("providers", f.providers);
}
template <class Visit>
void visit(Visit&& on, LeadFact& f) {
    on("business", f.business), on("to", f.to), on("channel", f.channel), on("phone", f.phone);
    on("source", f.source), on("external_id", f.external_id), on("name", f.name), on("email", f.email);
    on("status", f.status), on("notes", f.notes), on("details", f.details), on("seen_at", f.seen_at);
}
template <class Visit>
void visit(Visit&& on, AppointmentFact& f) {
    on("business", f.business), on("to", f.to), on("channel", f.channel), on("phone", f.phone);
    on("call_sid", f.call_sid), on("title", f.title), on("notes", f.notes), on("status", f.status);
    on("starts_at", f.starts_at), on("ends_at", f.ends_at), on("told_at", f.told_at);
}
template <class Visit>
void visit(Visit&& on, RecordingFact& f) {
    on("recording_sid", f.recording_sid), on("call_sid", f.call_sid), on("url", f.url), on("status", f.status);
    on("duration_s", f.duration_s), on("recorded_at", f.recorded_at);
}
template <class Visit>
void visit(Visit&& on, MessageInFact& f) {
    on("provider", f.provider), on("message_id", f.message_id), on("to", f.to), on("from", f.from);
    on("address", f.address), on("name", f.name), on("message_kind", f.kind), on("text", f.text);
    on("media", f.media), on("sent_at", f.sent_at), on("stored_at", f.stored_at), on("answer", f.answer);
    on("arrival", f.arrival), on("business", f.business);
}
template <class Visit>
void visit(Visit&& on, MessageOutFact& f) {
    on("id", f.id), on("body_hash", f.body_hash), on("business", f.business), on("from", f.from), on("to", f.to);
    on("provider", f.provider), on("text", f.text), on("media_url", f.media_url);
    on("in_reply_to", f.in_reply_to), on("asked_at", f.asked_at);
}
template <class Visit>
void visit(Visit&& on, MessageStatusFact& f) {
    on("id", f.id), on("provider", f.provider), on("provider_id", f.provider_id), on("status", f.status);
    on("error", f.error), on("at", f.at);
}
template <class Visit>
void visit(Visit&& on, PaymentEventFact& f) {
    on("provider", f.provider), on("event_id", f.event_id), on("payment_id", f.payment_id), on("status", f.status);
    on("payload", f.payload), on("amount", f.amount), on("currency", f.currency), on("at", f.at);
}

constexpr std::string_view kinds[] = {"call",       "turn",        "lead",           "appointment",  "recording",
                                      "message_in", "message_out", "message_status", "payment_event"};
static_assert(std::size(kinds) == std::variant_size_v<Fact>);

struct Writer {
    Json& out;
    void operator()(const char* name, const std::string& value) const {
        if (!value.empty()) {
            out[name] = clean_text(value, fact_text_bytes_max);
        }
    }
    void operator()(const char* name, std::int64_t value) const {
        if (value != 0) {
            out[name] = value;
        }
    }
};

struct Reader {
    const Json& in;
    void operator()(const char* name, std::string& value) const {
        if (const auto found = in.find(name); found != in.end() && found->is_string()) {
            value = found->get_ref<const std::string&>();
        }
    }
    void operator()(const char* name, std::int64_t& value) const {
        if (const auto found = in.find(name); found != in.end() && found->is_number_integer()) {
            value = found->get<std::int64_t>();
        }
    }
};

template <std::size_t I>
bool read_as(std::string_view kind, const Json& document, Fact& fact) {
    if constexpr (I == std::variant_size_v<Fact>) {
        return false;
    } else {
        if (kind != kinds[I]) {
            return read_as<I + 1>(kind, document, fact);
        }
        visit(Reader{document}, fact.emplace<I>());
        return true;
    }
}

}  // namespace

std::string_view kind_of(const Fact& fact) {
    return kinds[fact.index()];
}

std::string to_json(const Fact& fact) {
    Json document = {{"kind", kind_of(fact)}};
    std::visit([&](auto known) { visit(Writer{document}, known); }, fact);
    return document.dump();
}

Result<Fact> fact_from_json(std::string_view text) {
    const Json document = Json::parse(text, nullptr, false);
    const auto kind = document.is_object() ? document.find("kind") : document.end();
    if (!document.is_object() || kind == document.end() || !kind->is_string()) {
        return error(Errc::bad_message, "not a fact");
    }
    Fact fact;
    if (!read_as<0>(kind->get_ref<const std::string&>(), document, fact)) {
        return error(Errc::bad_message, "unknown kind of fact: " + kind->get<std::string>());
    }
    return fact;
}

}  // namespace agentlocator
