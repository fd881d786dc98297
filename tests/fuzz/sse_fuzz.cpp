// Server-sent events: the same events in pieces as at once, and never one above the limit.
#include <string>
#include <utility>
#include <vector>

#include "tests/fuzz/check.hpp"
#include "worker/providers/sse_parser.hpp"

namespace {

using namespace agentlocator;
using Events = std::vector<std::pair<std::string, std::string>>;

Events read(std::string_view bytes, std::size_t step) {
    SseParser parser;
    Events events;
    const auto keep = [&](const SseEvent& event) {
        MUST(event.data.size() <= sse_event_bytes_max);
        events.emplace_back(event.name, event.data);
        return true;
    };
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        if (!parser.feed(bytes.substr(at, step), keep)) {
            return events;
        }
    }
    MUST(parser.finish(keep));
    return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    const std::string_view bytes = text_of(data + 1, size - 1);
    MUST(read(bytes, bytes.size()) == read(bytes, data[0] % 16 + 1U));
    return 0;
}
