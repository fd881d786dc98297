// A whole media stream: any bytes are taken without fault, the answer does not depend on how they were cut, and nothing
// but whole frames goes out. First byte: mode and where to cut; rest: what the peer sends.
#include <array>
#include <memory>
#include <string>

#include "common/io/call_slab_file.hpp"
#include "tests/fuzz/check.hpp"
#include "worker/call_transfer.hpp"
#include "worker/greeting_conversation.hpp"

namespace {

using namespace agentlocator;

struct Ignore final : LineLog {
    void line(std::string_view text) override { MUST(text.find('\n') == std::string_view::npos); }
};

struct Peer final : Wire {
    WireResult receive(std::span<std::uint8_t> into, std::size_t& count) override {
        if (at == bytes.size()) {
            return WireResult::again;
        }
        count = std::min({into.size(), bytes.size() - at, piece});
        std::copy_n(bytes.begin() + static_cast<long>(at), count, into.begin());
        at += count;
        return WireResult::done;
    }
    WireResult send(const CallHandle::Unsent& unsent, std::size_t& count) override {
        count = unsent.size();
        for (const auto part : unsent.pieces) {
            sent.append(reinterpret_cast<const char*>(part.data()), part.size());
        }
        return WireResult::done;
    }
    std::span<const std::uint8_t> bytes;
    std::size_t piece = 65536;
    std::size_t at = 0;
    std::string sent;
};

std::string serve(std::span<const std::uint8_t> bytes, WsMode mode, std::size_t piece) {
    static SlabFile file = *create_slab("fuzz");
    static const auto scratch = std::make_unique<StreamScratch>();
    static PromptLibrary prompts(
        {std::vector<std::uint8_t>(400, 1), std::vector<std::uint8_t>(160, 2), std::vector<std::uint8_t>(160, 3)});
    static GreetingConversation conversation(prompts);
    Ignore log;
    const StreamContext context{conversation, log, true, {}};
    constexpr std::uint32_t slot = 1;
    CallHandle(*file.slab, slot).reset();
    CallTransfer transfer(*file.slab, 0, slot, context, *scratch);
    const TimePoint now(std::chrono::hours(1));
    transfer.open("", {}, mode, now);
    Peer peer;
    peer.bytes = bytes;
    peer.piece = piece;
    while (peer.at < bytes.size() && transfer.wants_to_read()) {
        transfer.receive(peer, now);
        transfer.flush(peer);
        while (transfer.can_go_on()) {
            transfer.parse_kept(now);
            transfer.flush(peer);
        }
    }
    transfer.stream().on_tick(now + std::chrono::seconds(1));
    transfer.flush(peer);
    return peer.sent;
}

void must_be_frames(std::string_view sent) {
    while (!sent.empty()) {
        const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(sent[i]); };
        MUST(sent.size() >= 2 && (byte(0) & 0xf0U) == 0x80 && (byte(1) & 0x80U) == 0);
        std::size_t size = byte(1);
        std::size_t head = 2;
        if (size >= 126) {
            const std::size_t more = size == 126 ? 2 : 8;
            MUST(sent.size() >= 2 + more);
            size = 0;
            for (std::size_t i = 0; i < more; ++i) {
                size = size << 8U | byte(2 + i);
            }
            head += more;
        }
        MUST(sent.size() >= head + size);
        sent.remove_prefix(head + size);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const auto mode = static_cast<WsMode>(data[0] % 3);
    const std::size_t piece = 1 + data[0] / 3;
    const std::span<const std::uint8_t> bytes{data + 1, size - 1};
    const std::string whole = serve(bytes, mode, 65536);
    must_be_frames(whole);
    MUST(serve(bytes, mode, piece) == whole);
    return 0;
}
