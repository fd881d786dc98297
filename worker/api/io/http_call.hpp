#pragma once
// One HTTP request that waits for its answer, by libcurl. For threads that may wait: never the media thread.
#include <atomic>
#include <string>
#include <vector>

#include "common/time.hpp"

namespace agentlocator {

// Not `HttpCall`: worker/providers has one, and two types of one name in one program share their destructor.
struct WaitingHttpCall {
    std::string method;
    std::string url;
    std::vector<std::string> headers{};  // "Name: value"
    std::string body{};
    std::string user{};  // Basic authentication.
    std::string password{};
    std::string ca_file{};  // Whom to trust; empty: the system's list.
    Duration most = std::chrono::seconds(20);
    const std::atomic<bool>* cancel = nullptr;  // True: give up, within a second.
};
struct HttpReply {
    long status = 0;  // 0: no answer.
    std::string body;
    bool sent = false;  // The request may have reached the peer.
    std::string error;
};

inline constexpr std::size_t http_reply_bytes_max = 4U << 20U;  // A page of events; more is not an answer to us.

[[nodiscard]] HttpReply http_call(const WaitingHttpCall& call);

}  // namespace agentlocator
