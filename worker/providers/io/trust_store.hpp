#pragma once
// Whom we trust: the system's certificates, or the file of SSL_CERT_FILE. Read once. libcurl would parse the bundle for
// each of its multi handles, which is 20 ms of the agent thread; and Debian's build ignores SSL_CERT_FILE.
#include <curl/curl.h>

#include <memory>
#include <string>

struct x509_store_st;

namespace agentlocator {

class TrustStore {
public:
    // Empty: the system's. Throws std::runtime_error for a file that cannot be read (at start only).
    explicit TrustStore(const std::string& ca_file);
    ~TrustStore();
    TrustStore(const TrustStore&) = delete;
    TrustStore& operator=(const TrustStore&) = delete;

    // Makes the handle verify against this store and share TLS sessions. Must outlive the handle.
    void apply(CURL* easy) const;

private:
    struct FreeStore {
        void operator()(x509_store_st* store) const;
    };
    struct FreeShare {
        void operator()(CURLSH* share) const { curl_share_cleanup(share); }
    };
    std::unique_ptr<x509_store_st, FreeStore> store_;
    std::unique_ptr<CURLSH, FreeShare> share_;  // Abbreviated handshakes for every connection of the thread.
};

}  // namespace agentlocator
