#include "worker/providers/io/trust_store.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <mutex>
#include <stdexcept>

namespace agentlocator {
namespace {

CURLcode set_store(CURL*, void* context, void* store) {
    SSL_CTX_set1_cert_store(static_cast<SSL_CTX*>(context), static_cast<X509_STORE*>(store));
    return CURLE_OK;
}

void initialise_once() {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

}  // namespace

void TrustStore::FreeStore::operator()(x509_store_st* store) const {
    X509_STORE_free(store);
}

TrustStore::TrustStore(const std::string& ca_file) {
    initialise_once();
    store_.reset(X509_STORE_new());
    share_.reset(curl_share_init());
    if (store_ == nullptr || share_ == nullptr) {
        throw std::runtime_error("no memory for certificates");
    }
    curl_share_setopt(share_.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    // Where Debian keeps the bundle; other systems say it to OpenSSL's build.
    constexpr const char* bundle = "/etc/ssl/certs/ca-certificates.crt";
    const bool loaded = ca_file.empty() ? X509_STORE_load_file(store_.get(), bundle) == 1 ||
                                              X509_STORE_set_default_paths(store_.get()) == 1
                                        : X509_STORE_load_file(store_.get(), ca_file.c_str()) == 1;
    ERR_clear_error();
    if (!loaded) {
        throw std::runtime_error("SSL_CERT_FILE=" + ca_file + " holds no certificates that can be read");
    }
}

TrustStore::~TrustStore() = default;

void TrustStore::apply(CURL* easy) const {
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_CAINFO, nullptr);
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, &set_store);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, store_.get());
    curl_easy_setopt(easy, CURLOPT_SHARE, share_.get());
}

}  // namespace agentlocator
