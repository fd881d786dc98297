#pragma once
// One request of HttpClient, and what came of it so far, on the side of libcurl: its handle, its options, its
// callbacks. The callbacks only fill the fields and put the exchange on the client's list of those with news; who is
// told what, and when, is the client's to decide.
#include <curl/curl.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common/io/event_loop.hpp"
#include "worker/providers/http_call.hpp"
#include "worker/providers/io/trust_store.hpp"

namespace agentlocator {

class HttpListener;

struct HttpExchange {
    // `ready` is the client's list: ids of exchanges with something to deliver.
    HttpExchange(std::uint64_t id, HttpCall call, std::vector<std::uint64_t>& ready);
    ~HttpExchange();
    HttpExchange(const HttpExchange&) = delete;
    HttpExchange& operator=(const HttpExchange&) = delete;

    void prepare(const TrustStore& trust, Duration connect_max);
    void mark_ready();
    void resume_upload();
    [[nodiscard]] bool is_request_sent() const;  // Its head, at least.
    [[nodiscard]] long http_version() const;     // CURL_HTTP_VERSION_NONE: nothing was answered yet.
    [[nodiscard]] std::uint64_t connections_opened() const;

    // given
    const std::uint64_t id;
    HttpCall call;
    std::vector<std::uint64_t>& ready;
    // owned
    CURL* easy;
    curl_slist* header_list = nullptr;
    // state
    HttpListener* listener = nullptr;  // Nothing: draining.
    EventLoop::TimerId drain_timer = 0;
    std::size_t answer_bytes_max = 0;
    bool streaming = false;
    bool push = false;  // Sent by HttpClient::push_reset().
    char problem[CURL_ERROR_SIZE] = "";

    HttpHead head;  // Of the block being read.
    HttpHead trailers;
    bool head_complete = false;
    bool head_delivered = false;
    std::string inbox;  // Body bytes not delivered yet.
    std::size_t received = 0;
    bool too_large = false;
    bool queued = false;  // In `ready`.
    bool finished = false;
    CURLcode result = CURLE_OK;

    std::string outbox;  // Of a streaming upload.
    bool upload_ended = false;
    bool upload_paused = false;
    bool answered = false;  // Trailers came: there is no more, though libcurl would wait for our upload to end.
};

}  // namespace agentlocator
