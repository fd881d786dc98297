#include "worker/http_reply.hpp"

#include <utility>

#include "common/log_line.hpp"

namespace agentlocator {

namespace {

constexpr std::size_t log_text_bytes_max = 128;  // Ids have 34; a longer value is somebody's attempt to flood the log.
constexpr std::size_t log_path_bytes_max = 200;

HttpResponse bare_reply(unsigned status) {
    return {.status = status,
            .headers = {{"Cache-Control", "no-store"},
                        {"X-Content-Type-Options", "nosniff"},
                        {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
                        {"Referrer-Policy", "no-referrer"}}};
}

}  // namespace

HttpResponse reply(unsigned status, std::string_view content_type, std::string body) {
    HttpResponse response = bare_reply(status);
    response.headers.insert(response.headers.begin(), {"Content-Type", std::string(content_type)});
    response.body = std::move(body);
    return response;
}

HttpResponse text_reply(unsigned status, std::string_view line) {
    return reply(status, "text/plain; charset=utf-8", std::string(line) + "\n");
}

HttpResponse xml_reply(std::string_view document) {
    return reply(200, "text/xml", std::string(document));
}

HttpResponse no_content() {
    return bare_reply(204);
}

RouteResult refuse(HttpResponse answer, std::string line) {
    return {.answer = std::move(answer), .log = {std::move(line)}, .refused = true};
}

std::string log_cut(std::string_view value) {
    return value.empty() ? "-" : std::string(value.substr(0, log_text_bytes_max));
}

std::string log_text(std::string_view value) {
    return log_value(log_cut(value));
}

std::string log_path(std::string_view target) {
    return std::string(target.substr(0, target.find('?')).substr(0, log_path_bytes_max));
}

}  // namespace agentlocator
