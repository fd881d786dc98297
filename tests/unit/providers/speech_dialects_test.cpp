// Deepgram, ElevenLabs, Azure, Google: what they are asked and what their answers mean.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "worker/digest.hpp"
#include "worker/providers/azure_speech.hpp"
#include "worker/providers/deepgram.hpp"
#include "worker/providers/elevenlabs.hpp"
#include "worker/providers/google_stream.hpp"
#include "worker/providers/twilio_rest.hpp"

using namespace agentlocator;
using nlohmann::json;

namespace {

const SttConfig hebrew{"he", {"תור"}, false};
const TtsConfig speak_hebrew{"he", "", {}};
const std::vector<std::uint8_t> frame(160, 0x55);

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

std::string unhex(std::string_view text) {
    std::string out;
    std::string digits;
    for (const char c : text) {
        if (c != ' ') {
            digits.push_back(c);
        }
        if (digits.size() == 2) {
            out.push_back(static_cast<char>(std::stoi(digits, nullptr, 16)));
            digits.clear();
        }
    }
    return out;
}

std::string deepgram_result(const std::string& text, bool is_final, bool from_finalize = false) {
    return json{{"type", "Results"},
                {"is_final", is_final},
                {"from_finalize", from_finalize},
                {"channel", {{"alternatives", json::array({{{"transcript", text}}})}}}}
        .dump();
}

GoogleServer google() {
    GoogleServer server;
    server.auth = GoogleAuth::with_key("gk-test");
    server.stt_url = "https://speech.googleapis.com";
    server.tts_url = "https://texttospeech.googleapis.com";
    server.model = "latest_long";
    server.project = "example-project";
    server.location = "eu";
    server.voice_he = "he-IL-Wavenet-A";
    server.voice_en = "en-US-Wavenet-F";
    return server;
}

}  // namespace

TEST_CASE("deepgram: finals add up, interims replace, Finalize ends") {
    const DeepgramListen dialect({"https://api.deepgram.com", "dg-test", "nova-3"});
    const std::string url = dialect.url(hebrew);
    CHECK(url.starts_with("wss://api.deepgram.com/v1/listen?model=nova-3&language=he&encoding=mulaw&sample_rate=8000"));
    CHECK(contains(url, "&keyterm=%D7%AA%D7%95%D7%A8"));
    CHECK(dialect.headers({})[0].value == "Token dg-test");
    auto session = dialect.session(hebrew, {});
    std::vector<WsMessage> out;
    session->audio(frame, out);
    REQUIRE(out.size() == 1);
    CHECK(out[0].binary);
    CHECK(out[0].payload.size() == 160);
    CHECK(session->on_text(deepgram_result("אני", false)).partial == "אני");
    CHECK(session->on_text(deepgram_result("אני רוצה", true)).partial == "אני רוצה");
    CHECK(session->on_text(deepgram_result("תור", false)).partial == "אני רוצה תור");
    CHECK_FALSE(session->on_text(R"({"type":"SpeechStarted"})").partial);
    out.clear();
    session->finish(out);
    REQUIRE(out.size() == 1);
    CHECK_FALSE(out[0].binary);  // As binary it would be taken for sound.
    CHECK(session->on_text(deepgram_result("תור.", true, true)).done);
    CHECK(session->best() == "אני רוצה תור.");
    CHECK(dialect.session(hebrew, {})->on_text("{").error->error_class == ProviderErrorClass::protocol);
    CHECK(session->on_text(R"({"type":"Error","description":"x","code":"y"})").error);
}

TEST_CASE("deepgram: speech is raw mu-law, and there is no Hebrew voice") {
    const DeepgramSpeak dialect({"https://api.deepgram.com", "dg-test", "aura-2-thalia-en"});
    CHECK(dialect.speaks("en"));
    CHECK_FALSE(dialect.speaks("he"));
    const HttpCall call = dialect.request("Hello", {"en", "", {}});
    CHECK(contains(call.url, "encoding=mulaw&sample_rate=8000&container=none"));
    CHECK(call.body == R"({"text":"Hello"})");
}

TEST_CASE("elevenlabs: Scribe is committed by us, and silence is no error") {
    const ElevenLabsScribe dialect({"https://api.elevenlabs.io", "xi-test", "scribe_v2_realtime", ""});
    CHECK(dialect.url(hebrew) ==
          "wss://api.elevenlabs.io/v1/speech-to-text/realtime?model_id=scribe_v2_realtime&audio_format=ulaw_8000"
          "&language_code=he&commit_strategy=manual");
    auto session = dialect.session(hebrew, {});
    std::vector<WsMessage> out;
    for (int i = 0; i < 7; ++i) {
        session->audio(frame, out);
    }
    REQUIRE(out.size() == 1);  // 100 ms a message; the rest waits.
    CHECK(json::parse(out[0].payload)["commit"] == false);
    CHECK(session->on_text(R"({"message_type":"partial_transcript","text":"אני"})").partial == "אני");
    CHECK_FALSE(session->on_text(R"({"message_type":"committed_transcript","text":"אני"})").done);
    out.clear();
    session->finish(out);
    REQUIRE(out.size() == 1);
    CHECK(json::parse(out[0].payload)["commit"] == true);
    CHECK(*from_base64(json::parse(out[0].payload)["audio_base_64"].get<std::string>()) == std::string(320, 0x55));
    CHECK(session->on_text(R"({"message_type":"committed_transcript","text":"רוצה תור."})").done);
    CHECK(session->best() == "אני רוצה תור.");
    auto silent = dialect.session(hebrew, {});
    out.clear();
    silent->finish(out);
    CHECK(silent->on_text(R"({"message_type":"insufficient_audio_activity","error":"x"})").done);
    CHECK(silent->on_text(R"({"message_type":"auth_error","error":"x"})").error->error_class ==
          ProviderErrorClass::auth);
    CHECK(silent->on_text(R"({"message_type":"quota_exceeded","error":"x"})").error->error_class ==
          ProviderErrorClass::quota);
}

TEST_CASE("elevenlabs: older model families are not asked for Hebrew") {
    const auto speaks = [](const char* model) { return ElevenLabsSpeech({"h", "k", model, "v"}).speaks("he"); };
    CHECK(speaks("eleven_v3"));
    CHECK(speaks("eleven_v3_conversational"));
    CHECK(speaks("eleven_v4_turbo"));
    for (const char* model : {"eleven_multilingual_v2", "eleven_flash_v2_5", "eleven_turbo_v2_5"}) {
        CHECK_FALSE(speaks(model));
        CHECK(ElevenLabsSpeech({"h", "k", model, "v"}).speaks("en"));
    }
    const HttpCall call = ElevenLabsSpeech({"https://x", "k", "eleven_v3", "VOICE123"}).request("שלום", speak_hebrew);
    CHECK(call.url == "https://x/v1/text-to-speech/VOICE123/stream?output_format=ulaw_8000");
    CHECK(json::parse(call.body)["language_code"] == "he");
}

TEST_CASE("azure: SSML is escaped, voices go by language") {
    const AzureSpeech dialect({"https://t", "https://s", "az-test", "he-IL-HilaNeural", ""});
    CHECK(dialect.speaks("he"));
    CHECK_FALSE(dialect.speaks("en"));
    const HttpCall call = dialect.request("a<b & \"c\"\x01", speak_hebrew);
    CHECK(contains(call.body, "xml:lang='he-IL'><voice name='he-IL-HilaNeural'>a&lt;b &amp; &quot;c&quot;</voice>"));
}

TEST_CASE("azure: its recogniser gets a header, sound in pieces and an end; phrases join") {
    const AzureRecognition dialect({"https://t", "https://s", "az-test", "v", ""});
    CHECK(
        dialect.url(hebrew).starts_with("wss://s/speech/recognition/conversation/cognitiveservices/v1?language=he-IL"));
    auto session = dialect.session(hebrew, {"0123456789abcdef0123456789abcdef", "2026-11-20T10:00:00.000Z"});
    std::vector<WsMessage> out;
    session->open(out);
    REQUIRE(out.size() == 3);
    CHECK(out[0].payload.starts_with("Path: speech.config\r\n"));
    CHECK(contains(out[1].payload, "X-RequestId: 0123456789abcdef0123456789abcdef\r\n"));
    CHECK(contains(out[1].payload, "תור"));
    CHECK(out[2].binary);
    const std::size_t head =
        static_cast<unsigned char>(out[2].payload[0]) * 256U + static_cast<unsigned char>(out[2].payload[1]);
    CHECK(
        out[2].payload.substr(2 + head) ==
        unhex("52494646 00000000 57415645 666d7420 10000000 0700 0100 401f0000 401f0000 0100 0800 64617461 00000000"));
    out.clear();
    for (int i = 0; i < 6; ++i) {
        session->audio(frame, out);
    }
    CHECK(out.size() == 1);
    session->finish(out);
    CHECK(out.size() == 3);
    CHECK(out.back().payload.ends_with("\r\n"));  // Empty body: the end.
    CHECK(session->on_text("Path:speech.hypothesis\r\n\r\n{\"Text\":\"אני\"}").partial == "אני");
    CHECK_FALSE(session
                    ->on_text("X-RequestId: 1\r\npath: speech.phrase\r\n\r\n"
                              "{\"RecognitionStatus\":\"Success\",\"DisplayText\":\"אני.\"}")
                    .done);
    CHECK_FALSE(session->on_text("Path:speech.phrase\r\n\r\n{\"RecognitionStatus\":\"NoMatch\"}").error);
    CHECK(session->on_text("Path:turn.end\r\n\r\n{}").done);
    CHECK(session->best() == "אני.");
    CHECK(
        session->on_text("Path:speech.phrase\r\n\r\n{\"RecognitionStatus\":\"TooManyRequests\"}").error->error_class ==
        ProviderErrorClass::rate_limited);
    CHECK(session->on_text("nonsense").error);
}

TEST_CASE("google: requests of both versions, answers of both, speech without its header's promise") {
    GoogleServer server = google();
    const HttpCall v1 = GoogleRecognition(server).request(frame, hebrew);
    CHECK(v1.url == "https://speech.googleapis.com/v1/speech:recognize");
    json body = json::parse(v1.body);
    CHECK(body["config"]["languageCode"] == "he-IL");
    CHECK(body["config"]["encoding"] == "MULAW");
    server.v2 = true;
    const HttpCall v2 = GoogleRecognition(server).request(frame, hebrew);
    CHECK(v2.url == "https://speech.googleapis.com/v2/projects/example-project/locations/eu/recognizers/_:recognize");
    CHECK(json::parse(v2.body)["config"]["languageCodes"][0] == "iw-IL");
    const GoogleRecognition stt(google());
    CHECK(stt.read(R"({"results":[{"alternatives":[{"transcript":"אני "}]},{"alternatives":[{"transcript":"רוצה"}]}]})")
              .text == "אני רוצה");
    CHECK(stt.read(R"({"totalBilledTime":"1s"})").text.empty());
    CHECK_FALSE(stt.read(R"({"totalBilledTime":"1s"})").error);
    CHECK(stt.read("<html>").error);
    const GoogleSpeech tts(google());
    body = json::parse(tts.request("שלום", speak_hebrew).body);
    CHECK(body["voice"] == json{{"languageCode", "he-IL"}, {"name", "he-IL-Wavenet-A"}});
    CHECK(json::parse(tts.request("hi", {"en", "", {}}).body)["voice"]["languageCode"] == "en-US");
    CHECK(tts.unwrap(R"({"audioContent":"UklGRg=="})") == "RIFF");
    CHECK(tts.unwrap(R"({"audioContent":"UklGRg"})") == "RIFF");
    CHECK_FALSE(tts.unwrap(R"({"audioContent":"U!"})"));
    CHECK_FALSE(tts.unwrap("{}"));
}

TEST_CASE("google_stream: bytes as Google's own library sends and reads them") {
    // google/cloud/speech/v1: streaming_config of MULAW, 8000, he-IL, punctuation, latest_long, interim results.
    CHECK(hex(grpc_frame(google_stream_config(google(), {"he", {}, false})).data(), 38) ==
          "00000000210a1f0a1b080310c03e1a0568652d494c58016a0b6c61746573745f6c6f6e671801");
    CHECK(hex(grpc_frame(google_stream_audio(google(), frame)).data(), 8) == "00000000a312a001");
    const auto speech_begin = read_google_stream(unhex("2002 4207 0800 1080e89226"), false);
    REQUIRE(speech_begin);
    CHECK(speech_begin->results.empty());
    const auto interim = read_google_stream(
        unhex("1221 0a0a 0a08 d7a9d79cd795d79d 1d6666663f 2207 08001080d0a54c 3205 68652d696c"), false);
    REQUIRE(interim);
    REQUIRE(interim->results.size() == 1);
    CHECK(interim->results[0].transcript == "שלום");
    CHECK_FALSE(interim->results[0].is_final);
    const std::string final_bytes = unhex(
        "122d 0a18 0a11 d7a9d79cd795d79d20d7a2d795d79cd79d 151f856b3f 1001 2208 08001080d4d4ab01 3205 68652d696c");
    const auto final = read_google_stream(final_bytes, false);
    REQUIRE(final);
    CHECK(final->results[0].transcript == "שלום עולם");
    CHECK(final->results[0].is_final);
    for (std::size_t cut = 1; cut < final_bytes.size(); ++cut) {  // A cut message is never read as a whole one.
        const auto half = read_google_stream(std::string_view(final_bytes).substr(0, cut), false);
        CHECK_FALSE((half && !half->results.empty()));
    }
    CHECK(read_google_stream(unhex("0a07 0803 1203 626164"), false)->error == "bad");
}

TEST_CASE("google_stream: gRPC messages in any split, none compressed, none over the limit") {
    const std::string bytes = grpc_frame("one") + grpc_frame("") + grpc_frame("three");
    for (std::size_t step = 1; step <= bytes.size(); ++step) {
        GrpcReader reader;
        std::vector<std::string> messages;
        for (std::size_t at = 0; at < bytes.size(); at += step) {
            REQUIRE(reader.feed(std::string_view(bytes).substr(at, step), messages));
        }
        CHECK(messages == std::vector<std::string>{"one", "", "three"});
    }
    std::vector<std::string> none;
    CHECK_FALSE(GrpcReader().feed(std::string("\1\0\0\0\0", 5), none));
    CHECK(GrpcReader().feed(std::string("\0\0\x10\0\0", 5), none));
    CHECK_FALSE(GrpcReader().feed(std::string("\0\0\x10\0\1", 5), none));
}

TEST_CASE("google_auth: an API key goes as it is; a file that is no service account says what it is") {
    CHECK(GoogleAuth::with_key("gk-test")->header("x").name == "x-goog-api-key");
    CHECK(contains(read_service_account(R"({"type":"authorized_user"})").error().detail, "authorized_user"));
    CHECK(contains(read_service_account("[]").error().detail, "not a JSON document"));
    CHECK(contains(
        read_service_account(R"({"type":"service_account","client_email":"a","private_key":"b"})").error().detail,
        "not an RSA key"));
}

TEST_CASE("twilio_rest: orders are forms with Basic authorization; a call that is over is no problem") {
    const TwilioAccount account{"https://api.twilio.com", "AC1", "token"};
    const HttpCall call = twilio_redirect(account, "CA1", "<Response><Dial>+972</Dial></Response>");
    CHECK(call.url == "https://api.twilio.com/2010-04-01/Accounts/AC1/Calls/CA1.json");
    CHECK(call.headers[0].value == "Basic " + to_base64("AC1:token"));
    CHECK(call.body == "Twiml=%3CResponse%3E%3CDial%3E%2B972%3C%2FDial%3E%3C%2FResponse%3E");
    CHECK(twilio_hang_up(account, "CA1").body == "Status=completed");
    CHECK_FALSE(twilio_problem({200, {}}, "{}"));
    CHECK_FALSE(twilio_problem({400, {}}, R"({"code":21220,"message":"m"})"));
    CHECK_FALSE(twilio_problem({404, {}}, R"({"code":20404,"message":"m"})"));
    CHECK(twilio_problem({401, {}}, R"({"code":20003,"message":"m"})")->error_class == ProviderErrorClass::auth);
    CHECK(twilio_problem({429, {}}, R"({"code":20429,"message":"m"})")->error_class ==
          ProviderErrorClass::rate_limited);
    CHECK(twilio_problem({502, {}}, "<html>")->error_class == ProviderErrorClass::server);
}
