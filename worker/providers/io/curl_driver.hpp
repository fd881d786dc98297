#pragma once
// One libcurl multi handle on an EventLoop: its sockets and its timer. libcurl's callbacks only note things down; what
// is finished is reported after libcurl has returned, so that the receiver may start and end transfers at will.
#include <curl/curl.h>

#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "common/io/event_loop.hpp"
#include "worker/providers/http_call.hpp"

namespace agentlocator {

class CurlDriver {
public:
    // `after_action` runs after each batch of libcurl's work, outside of it.
    CurlDriver(EventLoop& loop, std::function<void()> after_action);
    ~CurlDriver();  // All easy handles must have been removed.
    CurlDriver(const CurlDriver&) = delete;
    CurlDriver& operator=(const CurlDriver&) = delete;

    [[nodiscard]] CURLM* multi() const { return multi_.get(); }
    void add(CURL* easy);
    void remove(CURL* easy);

    struct Finished {
        CURL* easy;
        CURLcode result;
    };
    // What finished since the last call. The handles stay added.
    [[nodiscard]] std::vector<Finished> finished();

private:
    class Socket;
    struct Cleanup {
        void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
    };

    static int on_socket(CURL* easy, curl_socket_t fd, int what, void* self, void* socket);
    static int on_timer(CURLM* multi, long milliseconds, void* self);
    void watch(int fd, int what);
    void arm(long milliseconds);
    void act(curl_socket_t fd, int events);

    EventLoop& loop_;
    std::function<void()> after_action_;
    std::unique_ptr<CURLM, Cleanup> multi_;
    std::map<int, std::unique_ptr<Socket>> sockets_;
    EventLoop::TimerId timer_ = 0;
    // Callbacks of the loop that outlive us find this empty.
    std::shared_ptr<CurlDriver*> alive_;
};

// What a CURLcode means to us.
[[nodiscard]] TransportFailure curl_failure(CURLcode code, std::string_view detail);

}  // namespace agentlocator
