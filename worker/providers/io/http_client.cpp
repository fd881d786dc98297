#include "worker/providers/io/http_client.hpp"

#include <algorithm>
#include <cstring>

#include "common/ensure.hpp"
#include "common/text.hpp"

namespace agentlocator {
namespace {

constexpr std::size_t headers_max = 128;                  // Real answers have about 30.
constexpr std::size_t header_bytes_max = 16U << 10U;      // Of one line.
constexpr std::size_t origins_max = 64;                   // Providers have a handful of hosts.
constexpr Duration warm_time = std::chrono::seconds(30);  // Servers keep idle connections at least that long.

// Of the request's head; 0: not sent yet.
long request_bytes(CURL* easy) {
    long bytes = 0;
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &bytes);
    return bytes;
}

}  // namespace

struct HttpClient::Exchange {
    HttpClient* client = nullptr;
    std::uint64_t id = 0;
    HttpListener* listener = nullptr;  // Nothing: draining.
    EventLoop::TimerId drain_timer = 0;
    CURL* easy = nullptr;
    curl_slist* header_list = nullptr;
    HttpCall call;
    std::size_t answer_bytes_max = 0;
    bool streaming = false;
    bool push = false;  // Sent by push_reset().
    char problem[CURL_ERROR_SIZE] = "";

    HttpHead head;  // Of the block being read.
    HttpHead trailers;
    bool head_complete = false;
    bool head_delivered = false;
    std::string inbox;  // Body bytes not delivered yet.
    std::size_t received = 0;
    bool too_large = false;
    bool queued = false;  // In ready_.
    bool finished = false;
    CURLcode result = CURLE_OK;

    std::string outbox;  // Of a streaming upload.
    bool upload_ended = false;
    bool upload_paused = false;
    bool answered = false;  // Trailers came: there is no more, though libcurl would wait for our upload to end.

    Exchange() = default;
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;
    ~Exchange() {
        curl_easy_cleanup(easy);
        curl_slist_free_all(header_list);
    }
    void mark_ready() {
        if (!queued) {
            queued = true;
            client->ready_.push_back(id);
        }
    }
};

HttpTransfer::~HttpTransfer() {
    client_.abort(id_);
}

void HttpTransfer::send(std::string_view bytes) {
    HttpClient::Exchange* exchange = client_.find(id_);
    if (exchange == nullptr || exchange->upload_ended) {
        return;
    }
    exchange->outbox += bytes;
    if (exchange->upload_paused) {
        exchange->upload_paused = false;
        curl_easy_pause(exchange->easy, CURLPAUSE_CONT);
    }
}

void HttpTransfer::end() {
    HttpClient::Exchange* exchange = client_.find(id_);
    if (exchange == nullptr || exchange->upload_ended) {
        return;
    }
    exchange->upload_ended = true;
    if (exchange->upload_paused) {
        exchange->upload_paused = false;
        curl_easy_pause(exchange->easy, CURLPAUSE_CONT);
    }
}

std::size_t HttpTransfer::unsent() const {
    const HttpClient::Exchange* exchange = client_.find(id_);
    return exchange == nullptr ? 0 : exchange->outbox.size();
}

HttpClient::HttpClient(EventLoop& loop, const TrustStore& trust, HttpClientOptions options)
    : loop_(loop), trust_(trust), options_(options), driver_(loop, [this] { deliver(); }) {
    curl_multi_setopt(driver_.multi(), CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
}

HttpClient::~HttpClient() {
    for (auto& [id, exchange] : exchanges_) {
        loop_.cancel(exchange->drain_timer);
        driver_.remove(exchange->easy);
    }
}

HttpClient::Exchange* HttpClient::find(std::uint64_t id) {
    const auto found = exchanges_.find(id);
    return found == exchanges_.end() ? nullptr : found->second.get();
}

std::unique_ptr<HttpTransfer> HttpClient::start(HttpCall call, HttpListener& listener, std::size_t answer_bytes_max,
                                                Upload upload) {
    return std::make_unique<HttpTransfer>(*this, add(std::move(call), &listener, answer_bytes_max, upload).id);
}

HttpClient::Exchange& HttpClient::add(HttpCall call, HttpListener* listener, std::size_t answer_bytes_max,
                                      Upload upload) {
    auto exchange = std::make_unique<Exchange>();
    exchange->client = this;
    exchange->id = next_id_++;
    exchange->listener = listener;
    exchange->call = std::move(call);
    exchange->answer_bytes_max = answer_bytes_max;
    exchange->streaming = upload == Upload::streaming;
    exchange->easy = curl_easy_init();
    ENSURE(exchange->easy != nullptr);
    Exchange& added = *exchange;
    exchanges_.emplace(added.id, std::move(exchange));
    prepare(added);
    driver_.add(added.easy);
    return added;
}

void HttpClient::prepare(Exchange& exchange) {
    CURL* easy = exchange.easy;
    const HttpCall& call = exchange.call;
    trust_.apply(easy);
    curl_easy_setopt(easy, CURLOPT_URL, call.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https,http");
    curl_easy_setopt(easy, CURLOPT_PRIVATE, &exchange);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange.problem);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // Aborting must not wait for a name server.
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);  // Share a connection that is being opened rather than race it.
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(options_.connect_max).count()));
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "agentlocator/" AGENTLOCATOR_VERSION);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &HttpClient::on_write);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &exchange);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &HttpClient::on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &exchange);
    for (const HttpHeader& header : call.headers) {
        exchange.header_list = curl_slist_append(exchange.header_list, (header.name + ": " + header.value).c_str());
    }
    exchange.header_list = curl_slist_append(exchange.header_list, "Expect:");  // No pause for "100 Continue".
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange.header_list);
    if (exchange.streaming) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, &HttpClient::on_read);
        curl_easy_setopt(easy, CURLOPT_READDATA, &exchange);
    } else if (call.method == "HEAD") {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (call.method == "GET") {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    } else {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call.body.data());
        if (call.method != "POST") {
            curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call.method.c_str());
        }
    }
}

std::size_t HttpClient::on_write(char* data, std::size_t size, std::size_t count, void* pointer) {
    Exchange& exchange = *static_cast<Exchange*>(pointer);
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

std::size_t HttpClient::on_read(char* data, std::size_t size, std::size_t count, void* pointer) {
    Exchange& exchange = *static_cast<Exchange*>(pointer);
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

std::size_t HttpClient::on_header(char* data, std::size_t size, std::size_t count, void* pointer) {
    Exchange& exchange = *static_cast<Exchange*>(pointer);
    const std::size_t bytes = size * count;
    std::string_view line = trim({data, bytes});
    if (line.empty()) {
        if (exchange.head.status >= 200 && !exchange.head_complete) {
            exchange.head_complete = true;
            exchange.mark_ready();
        }
        return bytes;
    }
    if (line.starts_with("HTTP/") && !exchange.head_complete) {  // Also after a 1xx or a proxy's own answer.
        const auto blank = std::min(line.find(' '), line.size());
        exchange.head = {};
        exchange.head.status = static_cast<int>(parse_integer(trim(line.substr(blank)).substr(0, 3)).value_or(0));
        return bytes;
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
    return bytes;
}

void HttpClient::abort(std::uint64_t id) {
    const Exchange* exchange = find(id);
    if (exchange != nullptr && exchange->listener != nullptr) {  // A draining one ends by itself.
        retire(id);
    }
}

void HttpClient::drain(std::unique_ptr<HttpTransfer> transfer) {
    Exchange* exchange = transfer == nullptr ? nullptr : find(transfer->id_);
    if (exchange == nullptr) {
        return;
    }
    exchange->listener = nullptr;
    arm_drain(*exchange);
}

void HttpClient::arm_drain(Exchange& exchange) {
    constexpr Duration drain_max = std::chrono::seconds(1);
    exchange.drain_timer = loop_.call_at(Clock::now() + drain_max, [this, id = exchange.id] { retire(id); });
}

void HttpClient::retire(std::uint64_t id) {
    const auto found = exchanges_.find(id);
    if (found == exchanges_.end()) {
        return;
    }
    loop_.cancel(found->second->drain_timer);
    const bool left = leaves_reset(*found->second);
    const std::string origin(url_origin(found->second->call.url));
    driver_.remove(found->second->easy);
    exchanges_.erase(found);
    if (left) {
        push_reset(origin);
    }
}

// Removing it makes libcurl write RST_STREAM: its request was sent over HTTP/2, and no end of the answer was seen.
bool HttpClient::leaves_reset(const Exchange& exchange) const {
    if (exchange.push || exchange.answered || request_bytes(exchange.easy) == 0 ||
        (exchange.finished && exchange.result != CURLE_WRITE_ERROR)) {
        return false;
    }
    long version = CURL_HTTP_VERSION_NONE;
    curl_easy_getinfo(exchange.easy, CURLINFO_HTTP_VERSION, &version);
    if (version != CURL_HTTP_VERSION_NONE) {
        return version == CURL_HTTP_VERSION_2_0;
    }
    if (!exchange.call.url.starts_with("https:")) {  // HTTP/2 is agreed upon by TLS only.
        return false;
    }
    const auto known = origins_.find(url_origin(exchange.call.url));
    return known == origins_.end() || !known->second.heard || known->second.http2;  // Not a word yet: likely.
}

// libcurl 7.88 to 8.0 keep frames below 1 kB in a buffer of the connection, and after RST_STREAM nobody empties it: the
// server goes on working for nobody until something else is sent there, at worst the next turn's request. So something
// is sent, the least there is: a HEAD of the root, without a key, whose answer does not matter. (PING, by
// curl_easy_upkeep, stays in the same buffer.)
void HttpClient::push_reset(const std::string& origin) {
    Origin& known = origin_at(origin);
    if (const Exchange* waiting = find(known.push); waiting != nullptr && request_bytes(waiting->easy) == 0) {
        return;  // Not sent yet: it pushes this one, too.
    }
    HttpCall call;
    call.method = "HEAD";
    call.url = origin + "/";
    Exchange& exchange = add(std::move(call), nullptr, 0, Upload::whole);
    exchange.push = true;
    known.push = exchange.id;
    arm_drain(exchange);
}

void HttpClient::deliver() {
    for (const CurlDriver::Finished& finished : driver_.finished()) {
        char* pointer = nullptr;
        curl_easy_getinfo(finished.easy, CURLINFO_PRIVATE, &pointer);
        Exchange& exchange = *reinterpret_cast<Exchange*>(pointer);
        exchange.finished = true;
        exchange.result = finished.result;
        exchange.mark_ready();
    }
    while (!ready_.empty()) {
        std::vector<std::uint64_t> batch;
        batch.swap(ready_);
        for (const std::uint64_t id : batch) {
            deliver(id);
        }
    }
}

void HttpClient::count_connections(const Exchange& exchange) {
    long opened = 0;
    curl_easy_getinfo(exchange.easy, CURLINFO_NUM_CONNECTS, &opened);
    connections_opened_ += static_cast<std::uint64_t>(opened);
}

// Nothing: aborted, or draining since.
HttpClient::Exchange* HttpClient::find_listened(std::uint64_t id) {
    Exchange* exchange = find(id);
    if (exchange != nullptr && exchange->listener == nullptr) {
        exchange->mark_ready();
        return nullptr;
    }
    return exchange;
}

// A listener may abort this exchange or any other: it is looked up again after each event.
void HttpClient::deliver(std::uint64_t id) {
    Exchange* exchange = find(id);
    if (exchange == nullptr) {
        return;
    }
    exchange->queued = false;
    if (exchange->listener == nullptr) {
        exchange->inbox.clear();
        if (exchange->finished) {
            count_connections(*exchange);
            retire(id);
        }
        return;
    }
    HttpListener& listener = *exchange->listener;
    if (exchange->head_complete && !exchange->head_delivered) {
        exchange->head_delivered = true;
        note_heard(*exchange);
        const HttpHead head = exchange->head;
        listener.on_head(head);
        exchange = find_listened(id);
    }
    if (exchange != nullptr && !exchange->inbox.empty() && exchange->head_delivered) {
        const std::string bytes = std::move(exchange->inbox);
        exchange->inbox.clear();
        listener.on_body(bytes);
        exchange = find_listened(id);
    }
    if (exchange == nullptr || !(exchange->finished || exchange->answered)) {
        return;
    }
    count_connections(*exchange);
    const HttpHead trailers = std::move(exchange->trailers);
    TransportFailure failure = curl_failure(exchange->result, exchange->problem);
    if (exchange->too_large) {
        failure = {TransportFault::too_large,
                   "the answer is larger than " + std::to_string(exchange->answer_bytes_max) + " bytes"};
    }
    // Trailers stand behind everything else, whatever became of our upload then.
    const bool complete = exchange->head_delivered && (exchange->answered || exchange->result == CURLE_OK);
    retire(id);
    if (complete) {
        listener.on_end(trailers);
    } else {
        listener.on_failure(failure);
    }
}

void HttpClient::note_heard(const Exchange& exchange) {
    long version = CURL_HTTP_VERSION_NONE;
    curl_easy_getinfo(exchange.easy, CURLINFO_HTTP_VERSION, &version);
    Origin& origin = origin_at(std::string(url_origin(exchange.call.url)));
    origin.heard = Clock::now();
    origin.http2 = version == CURL_HTTP_VERSION_2_0;
}

HttpClient::Origin& HttpClient::origin_at(const std::string& url) {
    if (origins_.size() >= origins_max && !origins_.contains(url)) {
        origins_.clear();
    }
    return origins_[url];
}

bool HttpClient::is_warm(std::string_view url) const {
    const auto found = origins_.find(url_origin(url));
    return found != origins_.end() && found->second.heard && Clock::now() - *found->second.heard < warm_time;
}

TransportFailure curl_failure(CURLcode code, std::string_view detail) {
    const std::string text = detail.empty() ? curl_easy_strerror(code) : std::string(detail);
    switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST:
            return {TransportFault::resolve, text};
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_PROXY:
            return {TransportFault::proxy, text};
        case CURLE_COULDNT_CONNECT:
            return {TransportFault::connect, text};
        case CURLE_OPERATION_TIMEDOUT:  // The only timeout we give libcurl is the one for connecting.
            return {TransportFault::connect_timeout, text};
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_CACERT_BADFILE:
            return {TransportFault::certificate, text};
        case CURLE_SSL_CONNECT_ERROR:
            return {TransportFault::tls, text};
        case CURLE_WEIRD_SERVER_REPLY:
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_BAD_CONTENT_ENCODING:
            return {TransportFault::protocol, text};
        case CURLE_URL_MALFORMAT:
        case CURLE_FAILED_INIT:
        case CURLE_OUT_OF_MEMORY:
            return {TransportFault::local, text};
        default:
            return {TransportFault::broken, text};
    }
}

}  // namespace agentlocator
