#include "worker/providers/io/http_exchange.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/ensure.hpp"
#include "common/text.hpp"

namespace agentlocator {
namespace {

constexpr std::size_t headers_max = 128;              // Real answers have about 30.
constexpr std::size_t header_bytes_max = 16U << 10U;  // Of one line.

std::size_t on_write(char* data, std::size_t size, std::size_t count, void* pointer) {
    HttpExchange& exchange = *static_cast<HttpExchange*>(pointer);
    const std::size_t bytes = size * count;
    exchange.received += bytes;
    if (exchange.received > exchange.answer_bytes_max) {
        exchange.too_large = true;
        return CURL_WRITEFUNC_ERROR;
    }
    exchange.inbox.append(data, bytes);
    exchange.mark_ready();
    return bytes;
}

std::size_t on_read(char* data, std::size_t size, std::size_t count, void* pointer) {
    HttpExchange& exchange = *static_cast<HttpExchange*>(pointer);
    if (exchange.outbox.empty()) {
        if (exchange.upload_ended) {
            return 0;
        }
        exchange.upload_paused = true;
        return CURL_READFUNC_PAUSE;
    }
    const std::size_t bytes = std::min(size * count, exchange.outbox.size());
    std::memcpy(data, exchange.outbox.data(), bytes);
    exchange.outbox.erase(0, bytes);
    return bytes;
}

void read_header(HttpExchange& exchange, std::string_view line) {
    if (line.empty()) {
        if (exchange.head.status >= 200 && !exchange.head_complete) {
            exchange.head_complete = true;
            exchange.mark_ready();
        }
        return;
    }
    if (line.starts_with("HTTP/") && !exchange.head_complete) {  // Also after a 1xx or a proxy's own answer.
        const auto blank = std::min(line.find(' '), line.size());
        exchange.head = {};
        exchange.head.status = static_cast<int>(parse_integer(trim(line.substr(blank)).substr(0, 3)).value_or(0));
        return;
    }
    if (exchange.head_complete && exchange.streaming && !exchange.answered) {
        exchange.answered = true;
        exchange.mark_ready();
    }
    HttpHead& block = exchange.head_complete ? exchange.trailers : exchange.head;
    const auto colon = line.find(':');
    if (colon != std::string_view::npos && line.size() <= header_bytes_max && block.headers.size() < headers_max) {
        block.headers.push_back({std::string(line.substr(0, colon)), std::string(trim(line.substr(colon + 1)))});
    }
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* pointer) {
    const std::size_t bytes = size * count;
    read_header(*static_cast<HttpExchange*>(pointer), trim({data, bytes}));
    return bytes;
}

void prepare_body(HttpExchange& exchange) {
    if (exchange.streaming) {
        curl_easy_setopt(exchange.easy, CURLOPT_POST, 1L);
        curl_easy_setopt(exchange.easy, CURLOPT_READFUNCTION, &on_read);
        curl_easy_setopt(exchange.easy, CURLOPT_READDATA, &exchange);
    } else if (exchange.call.method == "HEAD") {
        curl_easy_setopt(exchange.easy, CURLOPT_NOBODY, 1L);
    } else if (exchange.call.method == "GET") {
        curl_easy_setopt(exchange.easy, CURLOPT_HTTPGET, 1L);
    } else {
        curl_easy_setopt(exchange.easy, CURLOPT_POST, 1L);
        curl_easy_setopt(exchange.easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         static_cast<curl_off_t>(exchange.call.body.size()));
        curl_easy_setopt(exchange.easy, CURLOPT_POSTFIELDS, exchange.call.body.data());
        if (exchange.call.method != "POST") {
            curl_easy_setopt(exchange.easy, CURLOPT_CUSTOMREQUEST, exchange.call.method.c_str());
        }
    }
}

}  // namespace

HttpExchange::HttpExchange(std::uint64_t number, HttpCall request, std::vector<std::uint64_t>& news)
    : id(number), call(std::move(request)), ready(news), easy(curl_easy_init()) {
    ENSURE(easy != nullptr);
}

HttpExchange::~HttpExchange() {
    curl_easy_cleanup(easy);
    curl_slist_free_all(header_list);
}

void HttpExchange::mark_ready() {
    if (!queued) {
        queued = true;
        ready.push_back(id);
    }
}

void HttpExchange::resume_upload() {
    if (std::exchange(upload_paused, false)) {
        curl_easy_pause(easy, CURLPAUSE_CONT);
    }
}

bool HttpExchange::is_request_sent() const {
    long bytes = 0;
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &bytes);
    return bytes > 0;
}

long HttpExchange::http_version() const {
    long version = CURL_HTTP_VERSION_NONE;
    curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
    return version;
}

std::uint64_t HttpExchange::connections_opened() const {
    long opened = 0;
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &opened);
    return static_cast<std::uint64_t>(opened);
}

void HttpExchange::prepare(const TrustStore& trust, Duration connect_max) {
    trust.apply(easy);
    curl_easy_setopt(easy, CURLOPT_URL, call.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https,http");
    curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, problem);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // Aborting must not wait for a name server.
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);  // Share a connection that is being opened rather than race it.
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(connect_max).count()));
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "agentlocator/" AGENTLOCATOR_VERSION);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &on_write);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
    for (const HttpHeader& header : call.headers) {
        header_list = curl_slist_append(header_list, (header.name + ": " + header.value).c_str());
    }
    header_list = curl_slist_append(header_list, "Expect:");  // No pause for "100 Continue".
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, header_list);
    prepare_body(*this);
}

}  // namespace agentlocator
