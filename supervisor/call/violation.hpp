#pragma once
// What the server did wrong, under the number Twilio's debugger would show, with the offending text shortened. Pure.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace agentlocator::call {

// Twilio error and warning dictionary; `ours` is for rules that Twilio leaves open and this product does not.
enum class Rule : int {
    ours = 0,
    url_format = 11100,
    http_status = 11200,
    http_connect = 11205,
    too_many_redirects = 11215,
    body_too_large = 11750,
    body_empty = 11770,
    parse_failure = 12100,
    wrong_root = 12102,
    schema = 12200,
    content_type = 12300,
    callback_answer = 15003,
    stream_timeout = 31901,
    stream_refused = 31902,
    stream_broken = 31903,
    stream_handshake = 31920,
    stream_close = 31921,
    stream_scheme = 31922,
    stream_url = 31923,
    stream_protocol = 31924,
    media_discarded = 31931,
    wrong_track = 31941,
    malformed_message = 31950,
    invalid_message = 31951,
};

struct Violation {
    Rule rule;
    std::string what;
    std::string excerpt;      // Of the first one.
    std::uint64_t count = 1;  // The same fault again only counts: Twilio warns once a stream, too.
};

constexpr std::size_t excerpt_bytes_max = 160;  // One terminal line or two; enough to see which key is wrong.
constexpr std::size_t violations_max = 64;      // Different ones; a broken server must not fill memory.

// One line: control bytes as \xNN, long text cut with its full size named.
[[nodiscard]] std::string shorten(std::string_view text);

class Violations {
public:
    void add(Rule rule, std::string_view what, std::string_view offending = {});
    void merge(const Violations& other);
    [[nodiscard]] const std::vector<Violation>& list() const { return list_; }
    [[nodiscard]] std::uint64_t total() const { return total_; }

private:
    std::vector<Violation> list_;
    std::uint64_t total_ = 0;
};

}  // namespace agentlocator::call
