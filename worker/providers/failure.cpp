#include "worker/providers/failure.hpp"

#include <array>
#include <ctime>
#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "worker/providers/json_text.hpp"

namespace agentlocator {
namespace {

using Class = ProviderErrorClass;

struct KnownCode {
    std::string_view word;
    Class error_class;
};
// Words vendors put into error codes. The first that occurs counts: what costs money or needs a person comes first.
constexpr KnownCode known_codes[] = {
    {"insufficient_quota", Class::quota},
    {"billing_hard_limit_reached", Class::quota},
    {"credit_balance_exhausted", Class::quota},
    {"quota_exceeded", Class::quota},  // ElevenLabs sends it with 401.
    {"billing_error", Class::quota},
    {"PAYMENT_REQUIRED", Class::quota},  // Deepgram: ASR_PAYMENT_REQUIRED.
    {"content_filter", Class::content_filter},
    {"content_policy_violation", Class::content_filter},
    {"invalid_api_key", Class::auth},
    {"account_deactivated", Class::auth},
    {"authentication_error", Class::auth},
    {"auth_error", Class::auth},
    {"permission_error", Class::auth},
    {"unaccepted_terms", Class::auth},
    {"INVALID_AUTH", Class::auth},
    {"invalid_grant", Class::auth},
    {"UNAUTHENTICATED", Class::auth},
    {"PERMISSION_DENIED", Class::auth},
    {"session_expired", Class::lifetime},
    {"session_time_limit_exceeded", Class::lifetime},
    {"rate_limit", Class::rate_limited},  // rate_limit_exceeded, rate_limit_error
    {"rate_limited", Class::rate_limited},
    {"too_many_concurrent_requests", Class::rate_limited},
    {"system_busy", Class::rate_limited},
    {"resource_exhausted", Class::rate_limited},
    {"RESOURCE_EXHAUSTED", Class::rate_limited},
    {"commit_throttled", Class::rate_limited},
    {"queue_overflow", Class::rate_limited},
    {"overloaded_error", Class::server},
    {"timeout_error", Class::timeout},
    {"api_error", Class::server},
    {"server_error", Class::server},
    {"transcriber_error", Class::server},
    {"unavailable_error", Class::server},
    {"UNAVAILABLE", Class::server},
    {"model_not_found", Class::bad_request},
    {"not_found_error", Class::bad_request},
    {"invalid_request", Class::bad_request},
    {"invalid_value", Class::bad_request},
    {"unknown_parameter", Class::bad_request},
    {"unsupported_parameter", Class::bad_request},
    {"missing_required_parameter", Class::bad_request},
    {"context_length_exceeded", Class::bad_request},
    {"exceed_context_size_error", Class::bad_request},
    {"input_error", Class::bad_request},
    {"chunk_size_exceeded", Class::bad_request},
    {"INVALID_ARGUMENT", Class::bad_request},
};

std::optional<Class> class_of_code(std::string_view code) {
    for (const KnownCode& known : known_codes) {
        if (code.find(known.word) != std::string_view::npos) {
            return known.error_class;
        }
    }
    return std::nullopt;
}

Class class_of_status(int status) {
    switch (status) {
        case 401:
        case 403:
        case 407:
            return Class::auth;
        case 402:
            return Class::quota;
        case 408:
        case 504:
        case 524:  // A proxy in front gave up waiting.
            return Class::timeout;
        case 409:  // Lock conflict: another try may do.
            return Class::server;
        case 429:
            return Class::rate_limited;
        default:
            return status >= 400 && status < 500 ? Class::bad_request : Class::server;
    }
}

std::string remedy_for(const ProviderPlace& place, Class error_class) {
    const auto with = [](std::string_view verb, std::string_view setting, std::string_view otherwise) {
        return setting.empty() ? std::string(otherwise) : std::string(verb) + " " + std::string(setting);
    };
    switch (error_class) {
        case Class::auth:
            return with("check", place.key_setting, "check the key");
        case Class::quota:
            return "the account of " + place.provider + " has no money or quota left: pay, or change " +
                   with("the key in", place.key_setting, "the key");
        case Class::rate_limited:
            return "too many requests for the plan of " + place.provider + ": raise its limit or add a fallback";
        case Class::network:
            return with("is the server reachable? check the network and", place.url_setting, "check the network");
        case Class::bad_request:
            return "the request was refused: " + with("check", place.model_setting, "see the message") +
                   "; models are retired";
        case Class::timeout:
        case Class::server:
            return place.provider + " has trouble; add a fallback to the chain if it goes on";
        case Class::protocol:
            return with("the answer is not in the expected form: check", place.url_setting, "see the message");
        case Class::cancelled:
        case Class::content_filter:
        case Class::lifetime:
            return {};
    }
    return {};
}

bool is_key_character(char c) {
    const char lower = to_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '*' ||
           c == '/' || c == '+' || c == '=';
}

// Keys of the vendors we know begin like this; anything else of this length that mixes letters and digits may be one.
bool looks_like_key(std::string_view word) {
    constexpr std::string_view prefixes[] = {"sk-", "sk_", "gsk_", "xi-", "dg-", "ya29.", "AIza", "eyJ", "ak-"};
    for (const std::string_view prefix : prefixes) {
        if (word.starts_with(prefix) && word.size() >= prefix.size() + 3) {
            return true;
        }
    }
    constexpr std::size_t opaque_min = 20;
    std::size_t digits = 0;
    std::size_t letters = 0;
    for (const char c : word) {
        digits += c >= '0' && c <= '9' ? 1U : 0U;
        const char lower = to_lower(c);
        letters += lower >= 'a' && lower <= 'z' ? 1U : 0U;
    }
    return word.size() >= opaque_min && digits >= 4 && letters >= 4;
}

// The largest length at most `bytes_max` that cuts no letter in two.
std::size_t whole_letters(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) {
        return text.size();
    }
    std::size_t size = bytes_max;
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80) {
        --size;
    }
    return size;
}

std::optional<std::time_t> read_http_date(std::string_view text) {
    std::tm parts{};
    const std::string copy(text);
    const char* end = ::strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return end == nullptr ? std::nullopt : std::optional(::timegm(&parts));
}

std::optional<Duration> bounded_wait(double seconds) {
    constexpr double wait_max = 600;  // Longer answers are clock errors or "come back tomorrow": not for a call.
    if (!(seconds >= 0) || seconds > wait_max) {
        return std::nullopt;
    }
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

std::optional<double> read_number(std::string_view text) {
    const auto number = nlohmann::json::parse(text, nullptr, false);
    return number.is_number() ? std::optional(number.get<double>()) : std::nullopt;
}

}  // namespace

std::optional<Duration> read_retry_after(std::string_view value, std::string_view date_now) {
    value = trim(value);
    if (const auto number = read_number(value)) {
        return bounded_wait(*number);
    }
    const auto then = read_http_date(value);
    const auto now = read_http_date(trim(date_now));
    return then && now ? bounded_wait(std::difftime(*then, *now)) : std::nullopt;
}

std::string redacted(std::string_view text, std::size_t bytes_max) {
    std::string out;
    std::size_t i = 0;
    while (i < text.size() && out.size() <= bytes_max) {
        if (!is_key_character(text[i])) {
            const auto byte = static_cast<unsigned char>(text[i]);
            const bool blank = byte <= 0x20 || byte == 0x7f;
            if (!blank || (!out.empty() && out.back() != ' ')) {
                out.push_back(blank ? ' ' : text[i]);
            }
            ++i;
            continue;
        }
        std::size_t end = i;
        while (end < text.size() && is_key_character(text[end])) {
            ++end;
        }
        const std::string_view word = text.substr(i, end - i);
        // "?key=..." and "Bearer ..." hold one whatever it looks like.
        const auto equals = word.find("key=");
        const bool announced = out.ends_with("Bearer ") || out.ends_with("Token ") || out.ends_with("Basic ");
        if (equals != std::string_view::npos && word.size() > equals + 4) {
            out += word.substr(0, equals + 4);
            out += "***";
        } else {
            out += announced || looks_like_key(word) ? std::string_view("***") : word;
        }
        i = end;
    }
    const std::string clean = valid_text(out);
    return clean.substr(0, whole_letters(clean, bytes_max));
}

ErrorBody read_error_body(std::string_view body) {
    ErrorBody out;
    const auto document = parse_json(body);
    const auto add_code = [&out](const nlohmann::json& object, std::string_view name) {
        const std::string word = text_or_number_at(object, name);
        if (!word.empty()) {
            out.code += (out.code.empty() ? "" : " ") + word;
        }
    };
    const auto read_object = [&](const nlohmann::json& object) {
        out.message = text_at(object, "message");
        for (const std::string_view name : {"code", "type", "status", "err_code", "category", "error"}) {
            add_code(object, name);
        }
        for (const auto& detail : array_at(object, "details")) {  // Google: {"retryDelay":"17s"}
            const std::string delay = text_at(detail, "retryDelay");
            if (delay.ends_with('s')) {
                out.retry_after = read_retry_after(std::string_view(delay).substr(0, delay.size() - 1), {});
            }
        }
    };
    // In some places (ElevenLabs, FastAPI) the document lies in "detail", in others in "error", in some in an array.
    const nlohmann::json* place = &document;
    if (document.is_array() && !document.empty()) {
        place = &document.front();
    }
    for (const std::string_view name : {"error", "detail"}) {
        const auto* inner = find_at(*place, name);
        if (inner == nullptr) {
            continue;
        }
        if (inner->is_object()) {
            read_object(*inner);
        } else if (inner->is_array() && !inner->empty() && inner->front().is_object()) {
            out.message = text_at(inner->front(), "msg");
            add_code(inner->front(), "type");
        } else if (inner->is_string()) {
            out.message = inner->get<std::string>();
            add_code(*place, "message_type");
            add_code(*place, "type");
        }
        if (!out.message.empty() || !out.code.empty()) {
            if (out.message.empty()) {
                out.message = text_at(*place, "error_description");
            }
            return out;
        }
    }
    read_object(*place);
    for (const std::string_view name : {"err_msg", "description", "error_description", "details"}) {
        if (out.message.empty()) {
            out.message = text_at(*place, name);
        }
    }
    if (out.message.empty() && !document.is_object()) {
        out.message = body.substr(0, whole_letters(body, 200));
    }
    return out;
}

ProviderError make_error(const ProviderPlace& place, ProviderErrorClass error_class, std::string_view message) {
    ProviderError error;
    error.error_class = error_class;
    error.provider = place.provider;
    error.operation = place.operation;
    error.message = redacted(message);
    error.remedy = remedy_for(place, error_class);
    return error;
}

ProviderError http_error(const ProviderPlace& place, const HttpHead& head, std::string_view body) {
    const ErrorBody document = read_error_body(body);
    const Class error_class = class_of_code(document.code).value_or(class_of_status(head.status));
    std::string message = "HTTP " + std::to_string(head.status);
    if (!document.message.empty()) {
        message += ": " + document.message;
    }
    if (!document.code.empty()) {
        message += " (" + document.code + ")";
    }
    ProviderError error = make_error(place, error_class, message);
    error.http_status = head.status;
    error.retry_after = document.retry_after;
    if (const auto milliseconds = read_number(head.header("retry-after-ms"))) {
        error.retry_after = bounded_wait(*milliseconds / 1000);
    } else if (!head.header("retry-after").empty()) {
        error.retry_after = read_retry_after(head.header("retry-after"), head.header("date"));
    }
    for (const std::string_view name : {"x-request-id", "request-id", "dg-request-id", "apim-request-id"}) {
        if (error.request_id.empty()) {
            error.request_id = valid_text(head.header(name).substr(0, 64));
        }
    }
    return error;
}

ProviderError stream_error(const ProviderPlace& place, const ErrorBody& body) {
    const Class error_class = class_of_code(body.code).value_or(Class::server);
    ProviderError error =
        make_error(place, error_class, body.message + (body.code.empty() ? "" : " (" + body.code + ")"));
    error.retry_after = body.retry_after;
    return error;
}

ProviderError transport_error(const ProviderPlace& place, const TransportFailure& failure) {
    Class error_class = Class::network;
    switch (failure.fault) {
        case TransportFault::timeout:
        case TransportFault::connect_timeout:
            error_class = Class::timeout;
            break;
        case TransportFault::certificate:
            error_class = Class::auth;  // We do not talk to somebody else; only an operator can mend it.
            break;
        case TransportFault::too_large:
        case TransportFault::protocol:
            error_class = Class::protocol;
            break;
        case TransportFault::resolve:
        case TransportFault::connect:
        case TransportFault::tls:
        case TransportFault::proxy:
        case TransportFault::broken:
        case TransportFault::local:
            break;
    }
    ProviderError error = make_error(place, error_class, failure.detail);
    if (failure.fault == TransportFault::certificate) {
        error.remedy = "the certificate is not trusted: check " +
                       std::string(place.url_setting.empty() ? "the address" : place.url_setting) +
                       ", or name the authority in SSL_CERT_FILE";
    }
    return error;
}

ProviderError grpc_error(const ProviderPlace& place, int status, std::string_view message) {
    // Codes of grpc/status. 11 on a stream: it is too old or was silent too long, which another one mends.
    constexpr std::array<Class, 17> classes = {
        Class::server,      Class::cancelled,   Class::server,      Class::bad_request,  Class::timeout,
        Class::bad_request, Class::bad_request, Class::auth,        Class::rate_limited, Class::bad_request,
        Class::server,      Class::lifetime,    Class::bad_request, Class::server,       Class::server,
        Class::server,      Class::auth};
    const bool known = status > 0 && status < static_cast<int>(classes.size());
    return make_error(place, known ? classes[static_cast<std::size_t>(status)] : Class::server,
                      "gRPC status " + std::to_string(status) + ": " + std::string(message));
}

ProviderError close_error(const ProviderPlace& place, std::uint16_t code, std::string_view reason) {
    Class error_class = Class::network;  // 1001, 1006, 1011, 1012, 1013, 1005 and private codes.
    if (code == 1007 || code == 1008) {
        error_class = Class::bad_request;
    } else if (code == 1002 || code == 1003 || code == 1009) {
        error_class = Class::protocol;
    }
    if (const auto known = class_of_code(reason)) {
        error_class = *known;
    }
    std::string message = "connection closed with " + std::to_string(code);
    if (!reason.empty()) {
        message += ": " + std::string(reason);
    }
    return make_error(place, error_class, message);
}

}  // namespace agentlocator
