#include "worker/providers/io/http_client.hpp"

#include <utility>

#include "worker/providers/io/http_exchange.hpp"

namespace agentlocator {
namespace {

constexpr std::size_t origins_max = 64;                   // Providers have a handful of hosts.
constexpr Duration warm_time = std::chrono::seconds(30);  // Servers keep idle connections at least that long.

}  // namespace

HttpTransfer::~HttpTransfer() {
    client_.abort(id_);
}

void HttpTransfer::send(std::string_view bytes) {
    HttpExchange* exchange = client_.find(id_);
    if (exchange == nullptr || exchange->upload_ended) {
        return;
    }
    exchange->outbox += bytes;
    exchange->resume_upload();
}

void HttpTransfer::end() {
    HttpExchange* exchange = client_.find(id_);
    if (exchange == nullptr || exchange->upload_ended) {
        return;
    }
    exchange->upload_ended = true;
    exchange->resume_upload();
}

std::size_t HttpTransfer::unsent() const {
    const HttpExchange* exchange = client_.find(id_);
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

HttpExchange* HttpClient::find(std::uint64_t id) {
    const auto found = exchanges_.find(id);
    return found == exchanges_.end() ? nullptr : found->second.get();
}

std::unique_ptr<HttpTransfer> HttpClient::start(HttpCall call, HttpListener& listener, std::size_t answer_bytes_max,
                                                Upload upload) {
    return std::make_unique<HttpTransfer>(*this, add(std::move(call), &listener, answer_bytes_max, upload).id);
}

HttpExchange& HttpClient::add(HttpCall call, HttpListener* listener, std::size_t answer_bytes_max, Upload upload) {
    auto exchange = std::make_unique<HttpExchange>(next_id_++, std::move(call), ready_);
    exchange->listener = listener;
    exchange->answer_bytes_max = answer_bytes_max;
    exchange->streaming = upload == Upload::streaming;
    HttpExchange& added = *exchange;
    exchanges_.emplace(added.id, std::move(exchange));
    added.prepare(trust_, options_.connect_max);
    driver_.add(added.easy);
    return added;
}

void HttpClient::abort(std::uint64_t id) {
    const HttpExchange* exchange = find(id);
    if (exchange != nullptr && exchange->listener != nullptr) {  // A draining one ends by itself.
        retire(id);
    }
}

void HttpClient::drain(std::unique_ptr<HttpTransfer> transfer) {
    HttpExchange* exchange = transfer == nullptr ? nullptr : find(transfer->id_);
    if (exchange == nullptr) {
        return;
    }
    exchange->listener = nullptr;
    arm_drain(*exchange);
}

void HttpClient::arm_drain(HttpExchange& exchange) {
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
bool HttpClient::leaves_reset(const HttpExchange& exchange) const {
    if (exchange.push || exchange.answered || !exchange.is_request_sent() ||
        (exchange.finished && exchange.result != CURLE_WRITE_ERROR)) {
        return false;
    }
    const long version = exchange.http_version();
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
    if (const HttpExchange* waiting = find(known.push); waiting != nullptr && !waiting->is_request_sent()) {
        return;  // Not sent yet: it pushes this one, too.
    }
    HttpCall call;
    call.method = "HEAD";
    call.url = origin + "/";
    HttpExchange& exchange = add(std::move(call), nullptr, 0, Upload::whole);
    exchange.push = true;
    known.push = exchange.id;
    arm_drain(exchange);
}

void HttpClient::deliver() {
    for (const CurlDriver::Finished& finished : driver_.finished()) {
        char* pointer = nullptr;
        curl_easy_getinfo(finished.easy, CURLINFO_PRIVATE, &pointer);
        HttpExchange& exchange = *reinterpret_cast<HttpExchange*>(pointer);
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

// Nothing: aborted, or draining since.
HttpExchange* HttpClient::find_listened(std::uint64_t id) {
    HttpExchange* exchange = find(id);
    if (exchange != nullptr && exchange->listener == nullptr) {
        exchange->mark_ready();
        return nullptr;
    }
    return exchange;
}

// A listener may abort this exchange or any other: it is looked up again after each event.
void HttpClient::deliver(std::uint64_t id) {
    HttpExchange* exchange = find(id);
    if (exchange == nullptr) {
        return;
    }
    exchange->queued = false;
    if (exchange->listener == nullptr) {
        exchange->inbox.clear();
        if (exchange->finished) {
            connections_opened_ += exchange->connections_opened();
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
    connections_opened_ += exchange->connections_opened();
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

void HttpClient::note_heard(const HttpExchange& exchange) {
    Origin& origin = origin_at(std::string(url_origin(exchange.call.url)));
    origin.heard = Clock::now();
    origin.http2 = exchange.http_version() == CURL_HTTP_VERSION_2_0;
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

}  // namespace agentlocator
