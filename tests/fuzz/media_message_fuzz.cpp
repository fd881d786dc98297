// Twilio's messages: any text is read without fault, and what the fast scanner accepts the full parser reads the same.
#include <string>

#include "tests/fuzz/check.hpp"
#include "worker/base64.hpp"
#include "worker/media_message.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace agentlocator;
    const std::string text(text_of(data, size));
    MediaFrame frame;
    StreamMessage message;
    const bool scanned = scan_media(text, frame);
    const bool parsed = parse_message(text, message);
    // Where both read it, they agree; of a key that comes twice either may win.
    const auto once = [&](std::string_view key) { return text.find(key) == text.rfind(key); };
    if (scanned && parsed && once("\"event\"") && once("\"payload\"") && once("\"streamSid\"") && once("\"media\":")) {
        MUST(message.event == StreamEvent::media);
        MUST(message.payload == frame.payload);
        MUST(message.stream_sid == frame.stream_sid);
    }
    if (scanned) {
        std::string audio(base64_decoded_max(frame.payload.size()) + 3, '\0');
        const auto count = base64_decode(frame.payload, reinterpret_cast<std::uint8_t*>(audio.data()));
        MUST(!count || *count <= base64_decoded_max(frame.payload.size()));
        if (count) {
            std::string back(base64_size(*count), '?');
            base64_encode({reinterpret_cast<const std::uint8_t*>(audio.data()), *count}, back.data());
            MUST(back == frame.payload);
        }
    }
    return 0;
}
