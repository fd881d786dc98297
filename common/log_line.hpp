#pragma once
// `event=worker_exited worker=3 signal=9`: one event name per fact (noun_verb, past tense), variables in fields only.
// Pure formatting. A value with blanks, quotes or control bytes is quoted and escaped, so that a peer cannot forge a
// line (P8). Lines that operators grep for (WS_START ...) keep their historical text and are built in worker/ws_log.
#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

namespace agentlocator {

struct LogField {
    std::string_view key;
    std::string value;

    LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
    LogField(std::string_view k, const char* v) : key(k), value(v) {}
    LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
    LogField(std::string_view k, bool v) : key(k), value(v ? "true" : "false") {}
    template <std::integral T>
    LogField(std::string_view k, T v) : key(k), value(std::to_string(v)) {}
};

// The value as it may stand in a log line: unchanged when plain, else in double quotes with \n, \xNN escapes.
[[nodiscard]] std::string log_value(std::string_view value);

[[nodiscard]] std::string log_line(std::string_view event, std::initializer_list<LogField> fields = {});

}  // namespace agentlocator
