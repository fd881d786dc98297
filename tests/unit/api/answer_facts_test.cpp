#include "worker/api/answer_facts.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;

namespace {

InboxJob job() {
    return {.provider = "baileys",
            .message_id = "in:972501234567@s.whatsapp.net:3A1",
            .business = 3,
            .phone = "+972501234567",
            .to = "+972500000001",
            .address = "972501234567@s.whatsapp.net",
            .text = "hello",
            .attempts = 2};
}

}  // namespace

TEST_CASE("answer facts: the answer goes back on the road the message came, under an id made from it") {
    const auto facts = facts_of_answer(job(), {.text = "hi"}, 1000);
    REQUIRE(facts.size() == 1);
    const auto& out = std::get<MessageOutFact>(facts[0]);
    CHECK(out.id == answer_id(job()));
    CHECK(out.to == "+972501234567");
    CHECK(out.from == "+972500000001");
    CHECK(out.provider == "baileys");
    CHECK(out.business == 3);
    CHECK(out.in_reply_to == job().message_id);
    InboxJob later = job();
    later.attempts = 9;
    CHECK(answer_id(later) == out.id);  // However often it is answered.
    InboxJob other = job();
    other.provider = "twilio";
    CHECK(answer_id(other) != out.id);
    InboxJob hidden = job();
    hidden.phone.clear();
    CHECK(std::get<MessageOutFact>(facts_of_answer(hidden, {.text = "hi"}, 1)[0]).to == hidden.address);
}

TEST_CASE("answer facts: no words, no message") {
    CHECK(facts_of_answer(job(), {}, 1000).empty());
}

TEST_CASE("answer facts: a caption is what was said, the name of a place or a person is not") {
    InboxJob one = job();
    for (const char* kind : {"text", "image", "video", "document"}) {
        one.kind = kind;
        CHECK(question_of(one, {}).text == "hello");
    }
    for (const char* kind : {"location", "contact", "contacts"}) {
        one.kind = kind;
        CHECK(question_of(one, {}).text.empty());
    }
    one.kind = "voice";
    one.text.clear();
    CHECK(question_of(one, {}).text.empty());
    CHECK(question_of(one, {}, "what he says").text == "what he says");
}

TEST_CASE("answer facts: a recording without words is a voice note, with the address of its file") {
    InboxJob one = job();
    one.media = R"([{"url":"/v1/media/x","mime":"audio/ogg"}])";
    one.text.clear();
    for (const char* kind : {"voice", "audio"}) {
        one.kind = kind;
        CHECK(voice_note_of(one).url == "/v1/media/x");
        CHECK(voice_note_of(one).provider == "baileys");
    }
    one.kind = "image";
    CHECK(voice_note_of(one).url.empty());
    one.kind = "voice";
    for (const char* media : {"", "[]", "nonsense", "[7]", R"([{"url":7}])"}) {
        one.media = media;
        CHECK(voice_note_of(one).url.empty());
    }
}

TEST_CASE("answer facts: leads and meetings belong to the business that was written to") {
    TextAnswer answer{.text = "noted"};
    answer.leads.push_back({.phone = "+972501234567", .name = "Dana"});
    answer.booked.push_back({.phone = "+972501234567", .starts_at = 5});
    const auto facts = facts_of_answer(job(), answer, 1000);
    REQUIRE(facts.size() == 3);
    const auto& lead = std::get<LeadFact>(facts[1]);
    CHECK(lead.business == 3);
    CHECK(lead.source == "whatsapp");
    CHECK(lead.external_id == job().message_id);
    CHECK(lead.seen_at == 1000);
    CHECK(std::get<AppointmentFact>(facts[2]).business == 3);
    CHECK(std::get<AppointmentFact>(facts[2]).told_at == 1000);
}

TEST_CASE("answer facts: the agent is asked with all that was said") {
    PersonRecord record{.said = {{false, "first"}, {true, "our answer"}}, .lead = {.name = "Dana"}, .state = "s"};
    const TextQuestion question = question_of(job(), record);
    CHECK(question.text == "hello");
    CHECK(question.attempts == 2);
    CHECK(question.state == "s");
    REQUIRE(question.before.size() == 2);
    CHECK(question.before[0].role == ChatMessage::Role::user);
    CHECK(question.before[1].role == ChatMessage::Role::assistant);
    CHECK(question.before[1].content == "our answer");
}

TEST_CASE("answer facts: the pauses before a model is asked again double up to half a minute") {
    CHECK(answer_pause_ms(1) == 2000);
    CHECK(answer_pause_ms(2) == 4000);
    CHECK(answer_pause_ms(5) == 30'000);
    CHECK(answer_pause_ms(1000) == 30'000);
}
