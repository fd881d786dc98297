#include "worker/embedded/speech_client.hpp"

#include <doctest/doctest.h>

#include "worker/embedded/speech_cache.hpp"

using namespace agentlocator;
using Kind = SpeechEvent::Kind;

namespace {

std::span<const std::uint8_t> bytes_of(const std::string& text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// A client with the helper's end of the conversation played by hand.
struct Conversation {
    TimePoint now{};
    SpeechClient client;

    void connect() {
        client.on_connected();
        CHECK(sent() == "1:0:1");
        answer(SpeechKind::ready, 0, encode(SpeechAbilities{{"he", "en"}, {"en"}, ""}));
    }
    void answer(SpeechKind kind, SpeechOperationId id, const std::string& payload = "") {
        std::string frame;
        append_speech_frame(frame, kind, id, payload);
        REQUIRE(client.on_bytes(now, bytes_of(frame)).has_value());
    }
    // What went out since the last look: kind:id:payload, texts of requests shortened to their JSON.
    std::string sent() {
        SpeechFrameReader reader;
        reader.push(bytes_of(client.outgoing()));
        std::string list;
        while (true) {
            const auto frame = reader.next();
            REQUIRE(frame.has_value());
            if (!*frame) {
                break;
            }
            list += (list.empty() ? "" : " ") + std::to_string(static_cast<int>((*frame)->kind)) + ":" +
                    std::to_string((*frame)->id) + ":" + std::string((*frame)->text());
        }
        client.outgoing().clear();
        return list;
    }
};

const SpeakRequest hello{"hello", "en"};
const ListenRequest choice{"en", {"yes"}};

}  // namespace

TEST_CASE("speech_client: a sentence asked for before the helper is there goes out when it is ready") {
    Conversation c;
    const auto id = c.client.speak(c.now, hello, 1s);
    CHECK(c.client.outgoing().empty());
    c.client.on_connected();
    CHECK(c.sent() == "1:0:1");
    c.answer(SpeechKind::ready, 0, encode(SpeechAbilities{{"en"}, {}, ""}));
    CHECK(c.sent() == "2:" + std::to_string(id) + ":" + encode(hello));
    c.answer(SpeechKind::speech, id, std::string(160, 'x'));
    c.answer(SpeechKind::spoken, id);
    const auto events = c.client.take_events();
    REQUIRE(events.size() == 2);
    CHECK(events[0].kind == Kind::audio);
    CHECK(events[0].bytes.size() == 160);
    CHECK(events[1].kind == Kind::spoken);
    CHECK(c.client.is_idle());
}

TEST_CASE("speech_client: a lost helper costs only the sentence that was being heard") {
    Conversation c;
    c.connect();
    const auto heard = c.client.speak(c.now, hello, 1s);
    const auto waiting = c.client.speak(c.now, hello, 1s);
    c.answer(SpeechKind::speech, heard, std::string(160, 'x'));
    (void)c.sent();
    c.client.on_disconnected("killed");
    auto events = c.client.take_events();
    REQUIRE(events.size() == 2);
    CHECK(events[1].id == heard);
    CHECK(events[1].error.error_class == ProviderErrorClass::network);
    CHECK(events[1].error.after_output);
    CHECK_FALSE(events[1].error.remedy.empty());
    c.connect();
    CHECK(c.sent() == "2:" + std::to_string(waiting) + ":" + encode(hello));

    SUBCASE("it is spoken then") {
        c.answer(SpeechKind::speech, waiting, std::string(160, 'x'));
        c.answer(SpeechKind::spoken, waiting);
        CHECK(c.client.take_events().back().kind == Kind::spoken);
    }
    SUBCASE("a text that kills the engine again is not asked a third time") {
        c.client.on_disconnected("killed");
        events = c.client.take_events();
        REQUIRE(events.size() == 1);
        CHECK(events[0].kind == Kind::failed);
        CHECK_FALSE(events[0].error.after_output);
        c.connect();
        CHECK(c.sent().empty());
    }
}

TEST_CASE("speech_client: an utterance in progress is told again from its first sample") {
    Conversation c;
    c.connect();
    const auto id = c.client.listen(choice);
    c.client.audio(id, bytes_of("ab"));
    c.client.audio(id, bytes_of("cd"));
    const std::string n = std::to_string(id);
    CHECK(c.sent() == "4:" + n + ":" + encode(choice) + " 5:" + n + ":ab 5:" + n + ":cd");
    c.client.on_disconnected("killed");
    c.client.audio(id, bytes_of("ef"));
    c.client.finish(c.now, id);
    c.connect();
    CHECK(c.sent() == "4:" + n + ":" + encode(choice) + " 5:" + n + ":abcdef 6:" + n + ":");
    c.answer(SpeechKind::heard, id, "yes");
    const auto events = c.client.take_events();
    REQUIRE(events.size() == 1);
    CHECK(events[0].bytes == "yes");
}

TEST_CASE("speech_client: nothing is reported of a cancelled operation") {
    Conversation c;
    c.connect();
    const auto id = c.client.speak(c.now, hello, 1s);
    (void)c.sent();
    c.client.cancel(id);
    CHECK(c.sent() == "3:" + std::to_string(id) + ":");
    c.answer(SpeechKind::speech, id, std::string(160, 'x'));
    c.answer(SpeechKind::spoken, id);
    CHECK(c.client.take_events().empty());
}

TEST_CASE("speech_client: silence of the helper ends in a timeout with a remedy") {
    Conversation c;
    c.connect();
    const auto first = c.client.speak(c.now, hello, 700ms);
    CHECK(c.client.deadline() == c.now + 700ms);
    c.now += 699ms;
    c.client.on_deadline(c.now);
    CHECK(c.client.take_events().empty());
    c.now += 1ms;
    c.client.on_deadline(c.now);
    auto events = c.client.take_events();
    REQUIRE(events.size() == 1);
    CHECK(events[0].id == first);
    CHECK(events[0].error.error_class == ProviderErrorClass::timeout);

    const auto heard = c.client.listen(choice);
    CHECK_FALSE(c.client.deadline().has_value());  // The caller still speaks.
    c.client.finish(c.now, heard);
    c.client.on_deadline(c.now + SpeechClient::result_max);
    events = c.client.take_events();
    REQUIRE(events.size() == 1);
    CHECK(events[0].error.operation == "transcribe");
}

TEST_CASE("speech_client: without a helper everybody who waits is told at once") {
    Conversation c;
    (void)c.client.speak(c.now, hello, 1s);
    (void)c.client.listen(choice);
    c.client.on_unreachable("no such file");
    const auto events = c.client.take_events();
    REQUIRE(events.size() == 2);
    CHECK(events[0].error.error_class == ProviderErrorClass::network);
    CHECK(c.client.is_idle());
}

TEST_CASE("speech_client: limits, at the limit and one past it") {
    Conversation c;
    c.connect();
    (void)c.client.speak(c.now, {std::string(speech_text_max, 'a'), "en"}, 1s);
    CHECK(c.client.take_events().empty());
    (void)c.client.speak(c.now, {std::string(speech_text_max + 1, 'a'), "en"}, 1s);
    REQUIRE(c.client.take_events().size() == 1);

    const auto id = c.client.listen(choice);
    c.client.audio(id, bytes_of(std::string(SpeechClient::utterance_bytes_max, 'a')));
    CHECK(c.client.take_events().empty());
    c.client.audio(id, bytes_of("a"));
    const auto events = c.client.take_events();
    REQUIRE(events.size() == 1);
    CHECK(events[0].error.error_class == ProviderErrorClass::bad_request);
}

TEST_CASE("speech_client: failures keep their class; a refused connection says why") {
    Conversation c;
    c.connect();
    const auto id = c.client.speak(c.now, hello, 1s);
    c.answer(SpeechKind::failed, id, encode(SpeechFailure{SpeechFailure::Kind::overloaded, "busy", "wait"}));
    const auto events = c.client.take_events();
    REQUIRE(events.size() == 1);
    CHECK(events[0].error.error_class == ProviderErrorClass::rate_limited);
    CHECK(events[0].error.remedy == "wait");
    std::string frame;
    append_speech_frame(frame, SpeechKind::failed, 0, encode(SpeechFailure{{}, "version 2 is spoken here", ""}));
    const auto refused = c.client.on_bytes(c.now, bytes_of(frame));
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().detail == "version 2 is spoken here");
}

TEST_CASE("speech_client: a text without anything to say is an error, not an empty success") {
    Conversation c;
    c.connect();
    const auto id = c.client.speak(c.now, {"...", "en"}, 1s);
    c.answer(SpeechKind::spoken, id);
    const auto events = c.client.take_events();
    REQUIRE(events.size() == 1);
    CHECK(events[0].kind == Kind::failed);
}

TEST_CASE("speech_cache: keeps what was used last within its bytes") {
    SpeechCache cache(400);
    cache.put("he", "a", std::string(100, 'a'));
    cache.put("en", "a", std::string(100, 'b'));
    cache.put("he", "c", std::string(100, 'c'));
    cache.put("he", "d", std::string(100, 'd'));
    CHECK(cache.bytes() == 400);
    REQUIRE(cache.find("he", "a") != nullptr);
    CHECK(*cache.find("he", "a") == std::string(100, 'a'));
    cache.put("he", "e", "e");
    CHECK(cache.find("en", "a") == nullptr);  // The one not asked for since.
    CHECK(cache.find("he", "a") != nullptr);
    cache.put("he", "large", std::string(101, 'x'));
    CHECK(cache.find("he", "large") == nullptr);
    CHECK(cache.bytes() == 301);
}
