#include "worker/api/bridge_events.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace agentlocator;
using Json = nlohmann::json;

namespace {

constexpr std::int64_t now = 1'795'212'800'000;

Json message() {
    return {
        {"seq", 41},
        {"event_id", "in:972541234567@s.whatsapp.net:3A1D"},
        {"type", "message"},
        {"chat", {{"jid", "972541234567@s.whatsapp.net"}, {"phone", "972541234567"}, {"group", false}}},
        {"from", {{"jid", "x"}, {"lid", nullptr}, {"phone", "972541234567"}, {"name", "Dana"}}},
        {"to", {{"phone", "972500000001"}}},
        {"from_me", false},
        {"offline", true},
        {"message", {{"id", "3A1D"}, {"ts", now / 1000 - 5}, {"kind", "text"}, {"text", "שלום"}, {"media", nullptr}}}};
}
BridgeEvents read(const Json& event) {
    const auto read = read_bridge_events(Json{{"events", {event}}, {"next", 41}, {"acknowledged", 40}}.dump(), now);
    REQUIRE(read.has_value());
    return *read;
}
MessageInFact message_in(const Json& event) {
    const BridgeEvents events = read(event);
    REQUIRE(events.facts.size() == 1);
    CHECK(events.messages == (std::get<MessageInFact>(events.facts[0]).answer != 0));
    return std::get<MessageInFact>(events.facts[0]);
}

}  // namespace

TEST_CASE("bridge events: a message becomes a fact that is to be answered") {
    const MessageInFact fact = message_in(message());
    CHECK(fact.provider == "baileys");
    CHECK(fact.message_id == "in:972541234567@s.whatsapp.net:3A1D");
    CHECK(fact.from == "+972541234567");
    CHECK(fact.to == "+972500000001");
    CHECK(fact.address == "972541234567@s.whatsapp.net");
    CHECK(fact.name == "Dana");
    CHECK(fact.text == "שלום");
    CHECK(fact.sent_at == now - 5000);
    CHECK(fact.stored_at == now);
    CHECK(fact.arrival == 41);
    CHECK(fact.answer == 1);
}

TEST_CASE("bridge events: own messages, groups, thumbs and old ones are stored and not answered") {
    Json own = message();
    own["from_me"] = true;
    Json group = message();
    group["chat"]["group"] = true;
    Json thumb = message();
    thumb["message"]["kind"] = "reaction";
    Json edit = message();
    edit["message"]["kind"] = "edit";
    Json old = message();
    old["message"]["ts"] = (now - answer_age_ms_max) / 1000;
    const std::pair<Json, Unanswered> reasons[] = {{own, Unanswered::own},
                                                   {group, Unanswered::group},
                                                   {thumb, Unanswered::wordless},
                                                   {edit, Unanswered::wordless},
                                                   {old, Unanswered::old}};
    for (const auto& [event, why] : reasons) {
        CHECK(message_in(event).answer == 0);
        CHECK(read(event).unanswered == std::vector<Unanswered>{why});
        CHECK(read(event).received == 1);
    }
    CHECK(read(message()).unanswered.empty());
    for (const char* kind : {"image", "video", "audio", "voice", "document", "location", "contact"}) {
        Json file = message();
        file["message"]["kind"] = kind;
        CHECK(message_in(file).answer == 1);
    }
    old["message"]["ts"] = (now - answer_age_ms_max) / 1000 + 1;
    CHECK(message_in(old).answer == 1);
}

TEST_CASE("bridge events: a picture is answered and its file named; a person without a number keeps an address") {
    Json picture = message();
    picture["message"]["kind"] = "image";
    picture["message"]["text"] = nullptr;
    picture["message"]["media"] = {{"mime", "image/jpeg"}, {"bytes", 5}};
    picture["from"]["phone"] = nullptr;
    picture["chat"]["jid"] = "111@lid";
    const MessageInFact fact = message_in(picture);
    CHECK(fact.answer == 1);
    CHECK(fact.from.empty());
    CHECK(fact.address == "111@lid");
    CHECK(Json::parse(fact.media)[0]["url"] == "/v1/media/in:972541234567@s.whatsapp.net:3A1D");
}

TEST_CASE("bridge events: receipts are states of our message; WhatsApp's acceptance is more than the bridge's") {
    const auto status = [](const char* state, int code) {
        const BridgeEvents events = read({{"seq", 42},
                                          {"type", "receipt"},
                                          {"id", "i"},
                                          {"key", "m1"},
                                          {"wa_id", "3EB0"},
                                          {"state", state},
                                          {"code", code},
                                          {"error", code == 0 ? "" : "refused"}});
        REQUIRE(events.facts.size() == 1);
        CHECK_FALSE(events.messages);
        return std::get<MessageStatusFact>(events.facts[0]);
    };
    CHECK(status("accepted", 0).status == "sent");
    CHECK(status("read", 0).status == "read");
    CHECK(status("accepted", 0).id == "m1");
    CHECK(status("accepted", 0).provider_id == "3EB0");
    CHECK(status("failed", 463).error == "refused 463");
}

TEST_CASE("bridge events: what is not for the store is passed over, what is no list is refused") {
    CHECK(read({{"seq", 43}, {"type", "session"}, {"state", "open"}}).facts.empty());
    CHECK(read({{"seq", 44}, {"type", "something_new"}}).facts.empty());
    CHECK(read({{"type", "message"}}).facts.empty());  // Without an id there is nothing to know it by.
    CHECK(read(Json()).facts.empty());
    CHECK(read({{"type", "message"}, {"event_id", "in:x"}, {"message", 7}, {"from", "?"}, {"chat", nullptr}}).next ==
          41);
    for (const char* body : {"", "[]", "{}", R"({"events":{}, "next":1})", R"({"events":[], "next":"1"})"}) {
        CHECK(read_bridge_events(body, now).error().code == Errc::bad_message);
    }
}
