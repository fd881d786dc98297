#pragma once
// Who we are to Google Cloud: an API key, or a service account that signs its own tokens (RFC 7523 with Google's rules
// for self-signed JWTs), which needs no network. Pure but for the signature; the clock is handed in.
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/http_message.hpp"
#include "common/result.hpp"

namespace agentlocator {

struct ServiceAccount {
    std::string client_email;
    std::string private_key;  // PKCS#8, PEM.
    std::string key_id;
    std::string project;
};
// Error: not a service account's key, with what it is instead.
[[nodiscard]] Result<ServiceAccount> read_service_account(std::string_view text);

// header.claims.signature (RFC 7515, RS256). Error: the key is no RSA key.
[[nodiscard]] Result<std::string> sign_jwt(std::string_view header, std::string_view claims,
                                           std::string_view private_key);

class GoogleAuth {
public:
    using WallClock = std::function<std::int64_t()>;  // Seconds since 1970.

    static std::shared_ptr<GoogleAuth> with_key(std::string key);
    static std::shared_ptr<GoogleAuth> with_account(ServiceAccount account, WallClock clock);

    // "https://speech.googleapis.com/": a token is for one service.
    [[nodiscard]] HttpHeader header(const std::string& audience);
    [[nodiscard]] const std::string& project() const { return account_.project; }

private:
    struct Token {
        std::string text;
        std::int64_t expires = 0;
    };
    std::string key_;
    ServiceAccount account_;
    WallClock clock_;
    std::map<std::string, Token> tokens_;
};

}  // namespace agentlocator
