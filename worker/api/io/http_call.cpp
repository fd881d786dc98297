#include "worker/api/io/http_call.hpp"

#include <curl/curl.h>

#include <memory>

namespace agentlocator {
namespace {

std::size_t take_body(char* bytes, std::size_t size, std::size_t count, void* into) {
    auto& body = *static_cast<std::string*>(into);
    if (body.size() + size * count > http_reply_bytes_max) {
        return 0;  // libcurl ends the transfer.
    }
    body.append(bytes, size * count);
    return size * count;
}

int look_whether_cancelled(void* cancel, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<const std::atomic<bool>*>(cancel)->load() ? 1 : 0;
}

}  // namespace

HttpReply http_call(const WaitingHttpCall& call) {
    HttpReply reply;
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), curl_easy_cleanup);
    if (!curl) {
        reply.error = "libcurl gives no handle";
        return reply;
    }
    curl_slist* list = nullptr;
    for (const std::string& header : call.headers) {
        list = curl_slist_append(list, header.c_str());
    }
    const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(list, curl_slist_free_all);
    const auto ms = static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(call.most).count());
    curl_easy_setopt(curl.get(), CURLOPT_URL, call.url.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_CUSTOMREQUEST, call.method.c_str());
    if (!call.body.empty()) {
        curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, call.body.c_str());
        curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(call.body.size()));
    }
    if (!call.user.empty()) {
        curl_easy_setopt(curl.get(), CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(curl.get(), CURLOPT_USERNAME, call.user.c_str());
        curl_easy_setopt(curl.get(), CURLOPT_PASSWORD, call.password.c_str());
    }
    curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, ms);
    curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT_MS, std::min(ms, 5000L));
    curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
    if (call.cancel != nullptr) {
        curl_easy_setopt(curl.get(), CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(curl.get(), CURLOPT_XFERINFOFUNCTION, look_whether_cancelled);
        curl_easy_setopt(curl.get(), CURLOPT_XFERINFODATA, call.cancel);
    }
    if (!call.ca_file.empty()) {
        curl_easy_setopt(curl.get(), CURLOPT_CAINFO, call.ca_file.c_str());
    }
    curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &reply.body);
    const CURLcode code = curl_easy_perform(curl.get());
    curl_off_t uploaded = 0;
    long header_bytes = 0;
    curl_easy_getinfo(curl.get(), CURLINFO_SIZE_UPLOAD_T, &uploaded);
    curl_easy_getinfo(curl.get(), CURLINFO_REQUEST_SIZE, &header_bytes);
    reply.sent = uploaded > 0 || header_bytes > 0;
    if (code == CURLE_OK) {
        curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &reply.status);
    } else {
        reply.error = curl_easy_strerror(code);
    }
    return reply;
}

}  // namespace agentlocator
