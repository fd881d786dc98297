#include "worker/api/answer_facts.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "worker/agent/known_person.hpp"
#include "worker/api/api.hpp"

namespace agentlocator {

std::string answer_id(const InboxJob& job) {
    return message_id(job.business, "answer/" + job.provider + "/" + job.message_id);
}

std::vector<Fact> facts_of_answer(const InboxJob& job, const TextAnswer& answer, std::int64_t now_ms) {
    std::vector<Fact> facts;
    if (answer.text.empty()) {
        return facts;
    }
    facts.emplace_back(MessageOutFact{.id = answer_id(job),
                                      .body_hash = "answer",
                                      .business = job.business,
                                      .from = job.to,
                                      .to = job.person(),
                                      .provider = job.provider,
                                      .text = answer.text,
                                      .in_reply_to = job.message_id,
                                      .asked_at = now_ms});
    for (LeadFact lead : answer.leads) {
        lead.business = job.business;
        lead.to = job.to;
        lead.channel = "whatsapp";
        lead.source = "whatsapp";
        lead.external_id = job.message_id;
        lead.seen_at = now_ms;
        facts.emplace_back(std::move(lead));
    }
    for (AppointmentFact meeting : answer.booked) {
        meeting.business = job.business;
        meeting.to = job.to;
        meeting.channel = "whatsapp";
        meeting.told_at = now_ms;
        facts.emplace_back(std::move(meeting));
    }
    return facts;
}

VoiceNote::Wanted voice_note_of(const InboxJob& job) {
    VoiceNote::Wanted wanted{.provider = job.provider};
    const auto media = nlohmann::json::parse(job.media, nullptr, false);
    if ((job.kind == "voice" || job.kind == "audio") && job.text.empty() && media.is_array() && !media.empty() &&
        media[0].is_object() && media[0].contains("url") && media[0]["url"].is_string()) {
        wanted.url = media[0]["url"].get<std::string>();
    }
    return wanted;
}

TextQuestion question_of(const InboxJob& job, const PersonRecord& record, const std::string& heard) {
    // The words beside a place or a visiting card are its name, not what the person says.
    const bool names = job.kind == "location" || job.kind == "contact" || job.kind == "contacts";
    return {.person = job.person(),
            .phone = job.phone,
            .kind = job.kind,
            .text = names              ? std::string()
                    : job.text.empty() ? heard
                                       : job.text,
            .before = messages_of(record.said),
            .lead = record.lead,
            .state = record.state,
            .attempts = job.attempts};
}

std::int64_t answer_pause_ms(std::int64_t attempts) {
    constexpr std::int64_t first_ms = 2'000;
    constexpr std::int64_t longest_ms = 30'000;
    return std::min(first_ms << std::clamp<std::int64_t>(attempts - 1, 0, 8), longest_ms);
}

}  // namespace agentlocator
