// Bytes of an HTTP server, through the client's parser: never past one message, the same in pieces as at once.
#include <algorithm>
#include <optional>
#include <string>

#include "common/http_codec.hpp"
#include "tests/fuzz/check.hpp"

namespace {

using namespace agentlocator;

constexpr HttpLimits limits{.header_bytes_max = 1024, .body_bytes_max = 1024};

std::optional<HttpResponse> read_response(std::string_view bytes, std::size_t step, bool head) {
    HttpResponseParser parser(limits, head);
    HttpParse state = HttpParse::need_more;
    std::size_t used = 0;
    while (used < bytes.size() && state == HttpParse::need_more) {
        std::size_t consumed = 0;
        const auto piece = bytes.substr(used, step);
        state = parser.feed(piece, consumed);
        MUST(consumed <= piece.size());
        used += consumed;
    }
    if (state == HttpParse::need_more) {
        state = parser.feed_end();
    }
    if (state != HttpParse::complete) {
        return std::nullopt;
    }
    HttpResponse response = parser.take();
    MUST(response.body.size() <= limits.body_bytes_max);
    return response;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) {
        return 0;
    }
    const std::string_view bytes = text_of(data + 1, size - 1);
    const bool head = (data[0] & 0x80) != 0;
    const auto whole = read_response(bytes, std::max<std::size_t>(bytes.size(), 1), head);
    const auto pieces = read_response(bytes, data[0] % 32 + 1U, head);
    MUST(whole.has_value() == pieces.has_value());
    if (whole) {
        MUST(whole->status == pieces->status && whole->body == pieces->body);
        MUST(whole->headers.size() == pieces->headers.size());
    }
    return 0;
}
