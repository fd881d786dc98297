#pragma once
// From what went wrong to what it means: the class decides whether another try, another provider or an operator helps.
// Order of judgement: the vendor's code in the body, then the HTTP or gRPC status, then the close code, then the
// transport. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "worker/agent/provider.hpp"
#include "worker/providers/http_call.hpp"

namespace agentlocator {

inline constexpr std::size_t failure_message_max = 300;  // Of a ProviderError, in bytes.

// Who asked for what; and the settings an operator would look at.
struct ProviderPlace {
    std::string provider;            // "openai"
    std::string operation;           // "chat"
    std::string_view key_setting;    // "OPENAI_API_KEY"; empty: none.
    std::string_view model_setting;  // "OPENAI_LLM_MODEL"; empty: none.
    std::string_view url_setting;    // "OPENAI_BASE_URL"; empty: none.
};

// A vendor's error document, whichever of the usual shapes it has: {"error":{"message",..}}, {"error":"text"},
// {"detail":..} (FastAPI), {"message":..}, {"err_msg":..}, or plain text.
struct ErrorBody {
    std::string message;
    std::string code;  // Its machine-readable words, joined with a blank: code, type, status.
    std::optional<Duration> retry_after;
};
[[nodiscard]] ErrorBody read_error_body(std::string_view body);

// The text without anything that looks like a key, without control characters, at most `bytes_max` bytes, whole UTF-8.
[[nodiscard]] std::string redacted(std::string_view text, std::size_t bytes_max = failure_message_max);

[[nodiscard]] ProviderError make_error(const ProviderPlace& place, ProviderErrorClass error_class,
                                       std::string_view message);

// An answer that is not 2xx.
[[nodiscard]] ProviderError http_error(const ProviderPlace& place, const HttpHead& head, std::string_view body);
// An error document inside a stream whose status was 200.
[[nodiscard]] ProviderError stream_error(const ProviderPlace& place, const ErrorBody& body);
[[nodiscard]] ProviderError transport_error(const ProviderPlace& place, const TransportFailure& failure);
[[nodiscard]] ProviderError grpc_error(const ProviderPlace& place, int status, std::string_view message);
// A WebSocket closed before we were done. RFC 6455 7.4.1; 1006: it broke.
[[nodiscard]] ProviderError close_error(const ProviderPlace& place, std::uint16_t code, std::string_view reason);

// "2", "0.5", or an HTTP date; nothing for what is negative or above 10 minutes. `date_now`: the answer's own Date
// header, because only the difference counts and our clock may be wrong.
[[nodiscard]] std::optional<Duration> read_retry_after(std::string_view value, std::string_view date_now);

}  // namespace agentlocator
