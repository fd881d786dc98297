#pragma once
// Builders for the media tests: client frames, a slab, a recording log, a stream with hand-moved time.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/io/call_slab_file.hpp"
#include "worker/media_stream.hpp"
#include "worker/voice/voice_conversation.hpp"
#include "worker/ws_codec.hpp"

namespace agentlocator::test {

using Bytes = std::vector<std::uint8_t>;

// A masked client frame.
inline Bytes client_frame(std::string_view payload, WsOpcode opcode = WsOpcode::text, bool fin = true,
                          std::uint32_t mask = 0x11223344) {
    Bytes out{static_cast<std::uint8_t>((fin ? 0x80 : 0) | static_cast<int>(opcode))};
    if (payload.size() < 126) {
        out.push_back(static_cast<std::uint8_t>(0x80 | payload.size()));
    } else {
        const int size_bytes = payload.size() < 65536 ? 2 : 8;
        out.push_back(size_bytes == 2 ? 0xfe : 0xff);
        for (int i = size_bytes - 1; i >= 0; --i) {
            out.push_back(static_cast<std::uint8_t>(payload.size() >> (8 * i)));
        }
    }
    std::uint8_t key[4];
    for (int i = 0; i < 4; ++i) {
        key[i] = static_cast<std::uint8_t>(mask >> (8 * i));
        out.push_back(key[i]);
    }
    for (std::size_t i = 0; i < payload.size(); ++i) {
        out.push_back(static_cast<std::uint8_t>(static_cast<std::uint8_t>(payload[i]) ^ key[i % 4]));
    }
    return out;
}

struct ServerFrame {
    WsOpcode opcode;
    std::string payload;
    [[nodiscard]] unsigned close_code() const {
        return payload.size() < 2 ? 1005U
                                  : static_cast<unsigned>(static_cast<unsigned char>(payload[0]) << 8 |
                                                          static_cast<unsigned char>(payload[1]));
    }
};

// Splits what a server sent into frames; each must be final and unmasked.
inline std::vector<ServerFrame> server_frames(std::string_view bytes) {
    std::vector<ServerFrame> frames;
    while (!bytes.empty()) {
        const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes.at(i)); };
        if ((at(0) & 0x80) == 0 || (at(1) & 0x80) != 0) {
            throw std::runtime_error("not a final, unmasked frame");
        }
        std::size_t size = at(1);
        std::size_t head = 2;
        if (size >= 126) {
            const std::size_t count = size == 126 ? 2 : 8;
            size = 0;
            for (std::size_t i = 0; i < count; ++i) {
                size = size << 8 | at(2 + i);
            }
            head += count;
        }
        frames.push_back({static_cast<WsOpcode>(at(0) & 15), std::string(bytes.substr(head, size))});
        bytes.remove_prefix(head + size);
    }
    return frames;
}

class RecordingLog final : public LineLog {
public:
    void line(std::string_view text) override { lines.emplace_back(text); }
    std::vector<std::string> lines;
};

inline PromptLibrary short_prompts() {
    // Greeting: 3 whole frames and a part of one, at a constant level.
    return PromptLibrary({Bytes(3 * 160 + 40, 0x10), Bytes(2 * 160, 0x20), Bytes(160, 0x30), Bytes(160, 0x40)});
}

struct StreamUnderTest {
    explicit StreamUnderTest(WsMode mode = WsMode::ai,
                             std::function<bool(std::string_view, std::string_view)> token = {})
        : file(*create_slab("test")), context{conversation, log, true, std::move(token)} {
        CallHandle(*file.slab, 7).reset();
        stream.on_open("", mode, now);
    }

    [[nodiscard]] CallHandle call() const { return {*file.slab, 7}; }
    [[nodiscard]] const CallState& state() const { return call().state(); }

    std::size_t feed(const Bytes& bytes) { return stream.on_bytes(bytes, now); }
    std::size_t text(std::string_view payload) { return feed(client_frame(payload)); }

    // Takes what would be sent, as the kernel does.
    std::string sent_bytes() {
        const CallHandle::Unsent unsent = call().unsent();
        std::string out;
        for (const auto piece : unsent.pieces) {
            out.append(reinterpret_cast<const char*>(piece.data()), piece.size());
        }
        call().on_sent(out.size());
        return out;
    }
    std::vector<ServerFrame> sent() { return server_frames(sent_bytes()); }

    void start(std::string_view extra = "") {
        text(R"({"event":"connected","protocol":"Call","version":"1.0.0"})");
        text(R"({"event":"start","sequenceNumber":"1","start":{"accountSid":"AC1","streamSid":"MZ1","callSid":"CA1",)"
             R"("tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},)"
             R"("customParameters":{)" +
             std::string(extra) + R"(}},"streamSid":"MZ1"})");
    }
    void media(std::string_view payload) {
        text(
            R"({"event":"media","sequenceNumber":"2","media":{"track":"inbound","chunk":"1","timestamp":"143","payload":")" +
            std::string(payload) + R"("},"streamSid":"MZ1"})");
    }

    SlabFile file;
    RecordingLog log;
    PromptLibrary prompts = short_prompts();
    VoiceConversation conversation{VoiceRules{}, prompts, nullptr};
    StreamContext context;
    std::unique_ptr<StreamScratch> scratch = std::make_unique<StreamScratch>();
    TimePoint now = TimePoint(std::chrono::hours(1));
    MediaStream stream{call(), context, *scratch};
};

}  // namespace agentlocator::test
