#include "worker/providers/google_auth.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "worker/digest.hpp"
#include "worker/providers/json_text.hpp"

namespace agentlocator {
namespace {

template <auto Free>
struct Freed {
    template <class T>
    void operator()(T* pointer) const {
        Free(pointer);
    }
};

}  // namespace

Result<ServiceAccount> read_service_account(std::string_view text) {
    const auto document = parse_json(text);
    if (!document.is_object()) {
        return error(Errc::bad_config, "not a JSON document");
    }
    if (const std::string type = text_at(document, "type"); type != "service_account") {
        return error(Errc::bad_config, "type is \"" + type + "\"; valid: the key of a service_account");
    }
    ServiceAccount account{text_at(document, "client_email"), text_at(document, "private_key"),
                           text_at(document, "private_key_id"), text_at(document, "project_id")};
    if (account.client_email.empty() || account.private_key.empty()) {
        return error(Errc::bad_config, "client_email or private_key is missing");
    }
    if (const auto probe = sign_jwt("{}", "{}", account.private_key); !probe) {
        return probe.error();
    }
    return account;
}

Result<std::string> sign_jwt(std::string_view header, std::string_view claims, std::string_view private_key) {
    const std::string input = to_base64url(header) + "." + to_base64url(claims);
    const std::unique_ptr<BIO, Freed<BIO_free_all>> pem(
        BIO_new_mem_buf(private_key.data(), static_cast<int>(private_key.size())));
    const std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>> key(
        pem == nullptr ? nullptr : PEM_read_bio_PrivateKey(pem.get(), nullptr, nullptr, nullptr));
    const std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
    if (key == nullptr || context == nullptr || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA) {
        return error(Errc::bad_config, "private_key is not an RSA key in PEM form");
    }
    std::size_t size = 0;
    const auto* bytes = reinterpret_cast<const unsigned char*>(input.data());
    if (EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1 ||
        EVP_DigestSign(context.get(), nullptr, &size, bytes, input.size()) != 1) {
        return error(Errc::bad_config, "private_key cannot sign");
    }
    std::string signature(size, '\0');
    if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes, input.size()) !=
        1) {
        return error(Errc::bad_config, "private_key cannot sign");
    }
    signature.resize(size);
    return input + "." + to_base64url(signature);
}

std::shared_ptr<GoogleAuth> GoogleAuth::with_key(std::string key) {
    auto auth = std::make_shared<GoogleAuth>();
    auth->key_ = std::move(key);
    return auth;
}

std::shared_ptr<GoogleAuth> GoogleAuth::with_account(ServiceAccount account, WallClock clock) {
    auto auth = std::make_shared<GoogleAuth>();
    auth->account_ = std::move(account);
    auth->clock_ = std::move(clock);
    return auth;
}

HttpHeader GoogleAuth::header(const std::string& audience) {
    if (!key_.empty()) {
        return {"x-goog-api-key", key_};
    }
    constexpr std::int64_t lifetime = 3600;     // The longest Google takes.
    constexpr std::int64_t renew_before = 300;  // A clock that is a little wrong must not matter.
    const std::int64_t now = clock_();
    Token& token = tokens_[audience];
    if (token.expires - renew_before <= now || token.expires - lifetime > now) {  // Also when the clock was set back.
        nlohmann::ordered_json head = {{"alg", "RS256"}, {"typ", "JWT"}};
        if (!account_.key_id.empty()) {
            head["kid"] = account_.key_id;
        }
        const nlohmann::ordered_json claims = {{"iss", account_.client_email},
                                               {"sub", account_.client_email},
                                               {"aud", audience},
                                               {"exp", now + lifetime},
                                               {"iat", now}};
        if (auto jwt = sign_jwt(head.dump(), claims.dump(), account_.private_key)) {  // It could at the start.
            token = {std::move(*jwt), now + lifetime};
        }
    }
    return {"Authorization", "Bearer " + token.text};
}

}  // namespace agentlocator
