#include "common/speech_message.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace agentlocator;

namespace {

std::span<const std::uint8_t> bytes_of(const std::string& text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

TEST_CASE("speech_message: frames come out whole, wherever the bytes were cut") {
    std::string stream;
    append_speech_frame(stream, SpeechKind::speak, 7, "text");
    append_speech_frame(stream, SpeechKind::cancel, 0xFFFFFFFF);
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
        SpeechFrameReader reader;
        std::vector<std::string> seen;
        for (const std::string& part : {stream.substr(0, cut), stream.substr(cut)}) {
            reader.push(bytes_of(part));
            while (true) {
                const auto frame = reader.next();
                REQUIRE(frame.has_value());
                if (!*frame) {
                    break;
                }
                seen.push_back(std::to_string(static_cast<int>((*frame)->kind)) + "/" + std::to_string((*frame)->id) +
                               "/" + std::string((*frame)->text()));
            }
        }
        CHECK(seen == std::vector<std::string>{"2/7/text", "3/4294967295/"});
    }
}

TEST_CASE("speech_message: a payload of the greatest size passes, one byte more does not") {
    std::string stream;
    append_speech_frame(stream, SpeechKind::audio, 1, std::string(speech_payload_max, 'a'));
    SpeechFrameReader reader;
    reader.push(bytes_of(stream));
    const auto frame = reader.next();
    REQUIRE(frame.has_value());
    REQUIRE(*frame);
    CHECK((*frame)->payload.size() == speech_payload_max);

    std::string longer;
    append_speech_frame(longer, SpeechKind::audio, 1, std::string(speech_payload_max + 1, 'a'));
    reader.push(bytes_of(longer.substr(0, speech_frame_header_bytes)));  // The header alone condemns it.
    const auto refused = reader.next();
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Errc::too_large);
}

TEST_CASE("speech_message: a kind that does not exist ends the conversation") {
    for (const std::uint32_t kind : {0U, 7U, 15U, 22U, 0xFFFFFFFFU}) {
        std::string stream;
        append_speech_frame(stream, static_cast<SpeechKind>(kind), 1);
        SpeechFrameReader reader;
        reader.push(bytes_of(stream));
        CHECK_FALSE(reader.next().has_value());
    }
}

TEST_CASE("speech_message: requests and answers survive the way") {
    const SpeakRequest speak{"שָׁלוֹם, \"3\" \n", "he"};
    CHECK(*parse_speak_request(encode(speak)) == speak);
    const ListenRequest listen{"en", {"yes", "no", "tel aviv"}};
    CHECK(*parse_listen_request(encode(listen)) == listen);
    const SpeechAbilities abilities{{"he", "en"}, {}, "no model"};
    CHECK(*parse_speech_abilities(encode(abilities)) == abilities);
    for (const auto kind : {SpeechFailure::Kind::bad_request, SpeechFailure::Kind::unavailable,
                            SpeechFailure::Kind::overloaded, SpeechFailure::Kind::engine}) {
        const SpeechFailure failure{kind, "message", "remedy"};
        CHECK(*parse_speech_failure(encode(failure)) == failure);
    }
}

TEST_CASE("speech_message: limits of a request, at the limit and one past it") {
    CHECK(parse_speak_request(encode(SpeakRequest{std::string(speech_text_max, 'a'), "en"})).has_value());
    CHECK_FALSE(parse_speak_request(encode(SpeakRequest{std::string(speech_text_max + 1, 'a'), "en"})).has_value());
    const std::string phrase(speech_phrase_bytes_max, 'a');
    CHECK(parse_listen_request(encode(ListenRequest{"en", {phrase}})).has_value());
    CHECK_FALSE(parse_listen_request(encode(ListenRequest{"en", {phrase + "a"}})).has_value());
    const std::vector<std::string> most(speech_phrases_max, "yes");
    CHECK(parse_listen_request(encode(ListenRequest{"en", most})).has_value());
    std::vector<std::string> more = most;
    more.emplace_back("no");
    CHECK_FALSE(parse_listen_request(encode(ListenRequest{"en", more})).has_value());
}

TEST_CASE("speech_message: a request of the greatest size fits into a frame") {
    const ListenRequest largest{
        "en", std::vector<std::string>(speech_phrases_max, std::string(speech_phrase_bytes_max, 'a'))};
    CHECK(encode(largest).size() <= speech_payload_max);
}

TEST_CASE("speech_message: garbage is an error that names the member") {
    for (const char* text : {"", "[]", "{", "{\"text\":1,\"language\":\"he\"}", "{\"text\":\"a\"}"}) {
        CHECK_FALSE(parse_speak_request(text).has_value());
    }
    const auto parsed = parse_listen_request(R"({"language":"en","phrases":"yes"})");
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().detail.find("phrases") != std::string::npos);
}
