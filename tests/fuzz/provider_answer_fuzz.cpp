// Answers of services, through everything that reads them: one end at most, whole UTF-8, tools with JSON objects.
#include <algorithm>
#include <memory>

#include "tests/fuzz/check.hpp"
#include "worker/providers/anthropic.hpp"
#include "worker/providers/azure_speech.hpp"
#include "worker/providers/deepgram.hpp"
#include "worker/providers/elevenlabs.hpp"
#include "worker/providers/gemini.hpp"
#include "worker/providers/google_stream.hpp"
#include "worker/providers/json_text.hpp"
#include "worker/providers/openai_audio.hpp"
#include "worker/providers/openai_chat.hpp"
#include "worker/providers/openai_realtime.hpp"
#include "worker/ws_codec.hpp"

namespace {

using namespace agentlocator;

void check_text(std::string_view text) {
    MUST(valid_utf8({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}));
}

void check_error(const ProviderError& error) {
    MUST(error.message.size() <= failure_message_max);
    check_text(error.message);
}

void read_model(LlmDecoder& decoder, std::string_view bytes) {
    SseParser parser;
    bool over = false;
    const auto apply = [&](const LlmOutput& out) {
        check_text(out.text);
        for (const ToolCall& call : out.tools) {
            MUST(!call.name.empty() || out.error);
            MUST(parse_json(call.arguments).is_object() || out.error);
        }
        MUST(!(out.finish && out.error));
        if (out.error) {
            check_error(*out.error);
        }
        over = out.finish || out.error;
        return !over;
    };
    const auto sink = [&](const SseEvent& event) {
        LlmOutput out;
        decoder.on_event(event, out);
        return apply(out);
    };
    if (parser.feed(bytes, sink) && parser.finish(sink)) {
        LlmOutput out;
        decoder.on_end(out);
        apply(out);
        MUST(over);  // Every stream ends with an answer or with an error.
    }
}

void read_socket(const WsSttDialect& dialect, std::string_view bytes) {
    const auto session = dialect.session({"he", {}, false}, {"id", "time"});
    while (!bytes.empty()) {
        const auto end = std::min(bytes.find('\0'), bytes.size());
        const WsSttOutput out = session->on_text(bytes.substr(0, end));
        if (out.error) {
            check_error(*out.error);
        }
        bytes.remove_prefix(std::min(end + 1, bytes.size()));
    }
}

void read_realtime(std::string_view bytes) {
    RealtimeProtocol protocol({}, {});
    std::vector<RealtimeEvent> events;
    std::vector<std::string> messages;
    while (!bytes.empty()) {
        const auto end = std::min(bytes.find('\0'), bytes.size());
        protocol.on_text(bytes.substr(0, end), events, messages);
        bytes.remove_prefix(std::min(end + 1, bytes.size()));
    }
    for (const std::string& message : messages) {
        MUST(parse_json(message).is_object());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    const std::string_view bytes = text_of(data + 1, size - 1);
    const ProviderPlace place{"fuzz", "fuzz", "", "", ""};
    switch (data[0] % 9) {
        case 0: {
            OpenAiChatDecoder decoder(place);
            read_model(decoder, bytes);
            break;
        }
        case 1: {
            AnthropicDecoder decoder(place);
            read_model(decoder, bytes);
            break;
        }
        case 2: {
            GeminiDecoder decoder(place);
            read_model(decoder, bytes);
            break;
        }
        case 3:
            read_socket(DeepgramListen({}), bytes);
            break;
        case 4:
            read_socket(ElevenLabsScribe({}), bytes);
            break;
        case 5: {
            std::string text(bytes);  // Azure's are text frames: WsClient lets no broken UTF-8 through.
            read_socket(AzureRecognition({}), text);
            break;
        }
        case 6:
            read_realtime(bytes);
            break;
        case 7:
            check_error(http_error(place, {400, {{"retry-after", std::string(bytes)}}}, bytes));
            static_cast<void>(OpenAiTranscription({}).read(bytes));
            break;
        default:
            static_cast<void>(read_google_stream(bytes, false));
            static_cast<void>(read_google_stream(bytes, true));
            break;
    }
    return 0;
}
