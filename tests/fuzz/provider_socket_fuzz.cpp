// A service's side of a WebSocket: the same events in pieces as at once, whole UTF-8, nothing above the limit, and
// nothing after the end.
#include <string>
#include <tuple>
#include <vector>

#include "tests/fuzz/check.hpp"
#include "worker/providers/ws_client.hpp"
#include "worker/ws_codec.hpp"

namespace {

using namespace agentlocator;
using Events = std::vector<std::tuple<WsEvent::Kind, std::string, std::uint16_t>>;

// The answer to a key of zeros (RFC 6455 4.2.2).
constexpr std::string_view welcome =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n";

Events read(std::string_view bytes, std::size_t step) {
    WsClient client("wss://localhost/", {}, {std::string(16, '\0'), [] { return std::uint32_t{7}; }});
    Events events;
    bool over = false;
    const auto keep = [&](const std::vector<WsEvent>& news) {
        for (const WsEvent& event : news) {
            using Kind = WsEvent::Kind;
            MUST(!over);
            MUST(event.payload.size() <= WsClient::message_bytes_max);
            if (event.kind == Kind::text) {
                MUST(valid_utf8({reinterpret_cast<const std::uint8_t*>(event.payload.data()), event.payload.size()}));
            }
            over = event.kind == Kind::closed || event.kind == Kind::refused || event.kind == Kind::failed;
            events.emplace_back(event.kind, event.payload, event.code);
        }
    };
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        std::vector<WsEvent> news;
        client.feed(bytes.substr(at, step), news);
        keep(news);
    }
    std::vector<WsEvent> news;
    client.feed_end(news);
    keep(news);
    static_cast<void>(client.take_output());
    MUST(over);  // Nobody waits for a connection that is gone.
    return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    std::string bytes(data[0] % 2 == 0 ? welcome : std::string_view());
    bytes += text_of(data + 1, size - 1);
    MUST(read(bytes, bytes.size()) == read(bytes, data[0] / 2 % 16 + 1U));
    return 0;
}
