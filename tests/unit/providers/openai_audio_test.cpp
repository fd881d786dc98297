#include "worker/providers/openai_audio.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "common/config.hpp"

using namespace agentlocator;

namespace {

OpenAiServer server(std::string model) {
    OpenAiServer out;
    out.place = {"openai", "transcribe", "OPENAI_API_KEY", "OPENAI_STT_MODEL", "OPENAI_BASE_URL"};
    out.base_url = "http://host:8000/v1";
    out.key = "sk-test";
    out.model = std::move(model);
    out.response_format = "verbose_json";
    out.voice = "marin";
    return out;
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

const std::vector<std::uint8_t> second(8000, 0xff);

ProviderSettings settings(std::initializer_list<std::pair<const char*, const char*>> values) {
    SettingInputs inputs;
    for (const auto& [name, value] : values) {
        inputs[name] = {value, SettingSource::environment};
    }
    return parse_settings(inputs, {}).settings.providers;
}

}  // namespace

TEST_CASE("openai_audio: multipart as browsers write it, with a boundary that occurs nowhere else") {
    std::string boundary;
    CHECK(write_multipart({{"a", "1", "", ""}, {"f", "x", "n.wav", "audio/wav"}}, boundary) ==
          "------agentlocator-form\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n"
          "------agentlocator-form\r\nContent-Disposition: form-data; name=\"f\"; filename=\"n.wav\"\r\n"
          "Content-Type: audio/wav\r\n\r\nx\r\n------agentlocator-form--\r\n");
    CHECK_FALSE(write_multipart({{"a", "----agentlocator-form----agentlocator-form-x", "", ""}}, boundary).empty());
    CHECK(boundary == "----agentlocator-form-x-x");
}

TEST_CASE("openai_audio: Whisper gets one language and a prompt, gpt-transcribe lists, never both") {
    const SttConfig config{"he", {"תור", "a<b"}, false};
    const std::string whisper = OpenAiTranscription(server("whisper-1")).request(second, config).body;
    CHECK(contains(whisper, "name=\"language\"\r\n\r\nhe\r\n"));
    CHECK(contains(whisper, "name=\"prompt\"\r\n\r\nתור, a<b\r\n"));
    CHECK(contains(whisper, "verbose_json"));
    CHECK_FALSE(contains(whisper, "languages[]"));
    const std::string newer = OpenAiTranscription(server("gpt-transcribe")).request(second, config).body;
    CHECK(contains(newer, "name=\"languages[]\"\r\n\r\nhe\r\n"));
    CHECK(contains(newer, "name=\"keywords[]\"\r\n\r\nתור\r\n"));
    CHECK_FALSE(contains(newer, "a<b"));  // One bad keyword refuses the whole request.
    CHECK_FALSE(contains(newer, "name=\"language\""));
    CHECK(contains(newer, "name=\"response_format\"\r\n\r\njson\r\n"));
    CHECK(contains(newer, "filename=\"audio.wav\"\r\nContent-Type: audio/wav\r\n\r\nRIFF"));
}

TEST_CASE("openai_audio: text that the model made up over noise is dropped") {
    const OpenAiTranscription stt(server("whisper-1"));
    CHECK(stt.read(R"({"text":" שלום "})").text == "שלום");
    CHECK(stt.read(R"({"text":""})").text.empty());
    CHECK(stt.read(R"({"text":"a b","segments":[
        {"text":" a","no_speech_prob":0.1,"avg_logprob":-2,"compression_ratio":1},
        {"text":" b","no_speech_prob":0.7,"avg_logprob":-1.1,"compression_ratio":1}]})")
              .text == "a");
    CHECK(stt.read(R"({"text":"b","segments":[{"text":"b","compression_ratio":2.5}]})").text.empty());
    CHECK(is_made_up({0.61, -1.01, 1}));
    CHECK_FALSE(is_made_up({0.6, -1.01, 1}));
    CHECK_FALSE(is_made_up({0.61, -1.0, 1}));
    CHECK(is_made_up({0, 0, 2.41}));
    CHECK_FALSE(is_made_up({0, 0, 2.4}));
}

TEST_CASE("openai_audio: an answer without text is an error") {
    const OpenAiTranscription stt(server("whisper-1"));
    CHECK(stt.read("{}").error->error_class == ProviderErrorClass::protocol);
    CHECK(stt.read("{\"text\":nu").error->error_class == ProviderErrorClass::protocol);
    CHECK(stt.read(R"({"text":null})").error->error_class == ProviderErrorClass::protocol);
    CHECK(stt.read(R"({"error":{"message":"m","code":"model_not_found"}})").error->error_class ==
          ProviderErrorClass::bad_request);
}

TEST_CASE("openai_audio: the rate of speech is the answer's, else the setting's") {
    const OpenAiSpeech tts(server("tts-1"));
    CHECK(tts.format({200, {}}).rate == 24'000);
    CHECK(tts.format({200, {{"content-type", "audio/pcm;rate=22050"}}}).rate == 22'050);
    CHECK(tts.format({200, {{"content-type", "audio/pcm; rate=16000; channels=1"}}}).rate == 16'000);
    CHECK(tts.format({200, {{"content-type", "audio/pcm;rate=7999"}}}).rate == 24'000);
    CHECK(tts.format({200, {{"content-type", "audio/pcm;rate=x"}}}).rate == 24'000);
}

TEST_CASE("openai_server: one client, many servers") {
    std::string why;
    CHECK_FALSE(openai_server(settings({}), OpenAiUse::chat, why));
    CHECK(why == "OPENAI_API_KEY is not set");
    auto server =
        openai_server(settings({{"OPENAI_API_KEY", "sk-test"}, {"OPENAI_ORG_ID", "org"}}), OpenAiUse::chat, why);
    REQUIRE(server);
    CHECK(server->max_tokens_field == "max_completion_tokens");
    CHECK(server->reasoning_effort == "none");
    CHECK(server->stream_options == "obfuscation");
    HttpCall call = server->call("/chat/completions", "application/json");
    CHECK(call.url == "https://api.openai.com/v1/chat/completions");
    CHECK(call.headers[0].value == "Bearer sk-test");
    CHECK(call.headers.back().name == "OpenAI-Organization");

    // Ollama: no key, and nothing a strict server might refuse.
    server = openai_server(settings({{"OPENAI_BASE_URL", "http://host:11434/v1"}}), OpenAiUse::chat, why);
    REQUIRE(server);
    CHECK(server->max_tokens_field == "max_tokens");
    CHECK(server->reasoning_effort.empty());
    CHECK(server->stream_options.empty());
    CHECK(server->response_format == "verbose_json");

    // Recognition elsewhere, with a key of its own.
    const ProviderSettings split = settings(
        {{"OPENAI_API_KEY", "one"}, {"OPENAI_STT_BASE_URL", "http://stt:8000/v1/"}, {"OPENAI_STT_API_KEY", "two"}});
    server = openai_server(split, OpenAiUse::transcription, why);
    REQUIRE(server);
    CHECK(server->base_url == "http://stt:8000/v1");
    CHECK(server->key == "two");
    CHECK_FALSE(openai_server(split, OpenAiUse::speech, why));
    CHECK(why == "OPENAI_TTS_MODEL is not set");

    const ProviderSettings azure = settings({{"AZURE_OPENAI_API_KEY", "k"},
                                             {"AZURE_OPENAI_ENDPOINT", "https://res.openai.azure.com/"},
                                             {"AZURE_OPENAI_DEPLOYMENT", "mini"},
                                             {"OPENAI_API_VERSION", "2024-10-21"}});
    server = azure_openai_server(azure, why);
    REQUIRE(server);
    call = server->call("/chat/completions", "application/json");
    CHECK(call.url == "https://res.openai.azure.com/openai/deployments/mini/chat/completions?api-version=2024-10-21");
    CHECK(call.headers[0].name == "api-key");

    const ProviderSettings switches = settings({{"OPENAI_BASE_URL", "http://h/v1"},
                                                {"OPENAI_API_KEY", "k"},
                                                {"OPENAI_AUTH_STYLE", "api-key"},
                                                {"OPENAI_MAX_TOKENS_FIELD", "max_completion_tokens"},
                                                {"OPENAI_REASONING_EFFORT", "minimal"},
                                                {"OPENAI_STREAM_OPTIONS", "usage"},
                                                {"OPENAI_EXTRA_HEADERS", "{\"X-A\":\"b\"}"}});
    server = openai_server(switches, OpenAiUse::chat, why);
    REQUIRE(server);
    CHECK(server->reasoning_effort == "minimal");
    CHECK(server->stream_options == "usage");
    CHECK(server->max_tokens_field == "max_completion_tokens");
    call = server->call("/x", "");
    CHECK(call.headers[0].name == "api-key");
    CHECK(call.headers[1].name == "X-A");
}

TEST_CASE("openai_audio: a recording goes as the file it is") {
    const SoundFile note{.bytes = "OggS...", .mime = "audio/ogg; codecs=opus"};
    const HttpCall call = OpenAiTranscription(server("whisper-1")).file_request(note, {"he", {}, false});
    CHECK(call.url == "http://host:8000/v1/audio/transcriptions");
    CHECK(contains(call.body, "filename=\"voice.ogg\"\r\nContent-Type: audio/ogg\r\n\r\nOggS...\r\n"));
    CHECK(contains(call.body, "name=\"language\"\r\n\r\nhe\r\n"));
}
