#include "worker/digest.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <array>
#include <limits>

#include "common/ensure.hpp"

namespace agentlocator {

namespace {

const unsigned char* bytes_of(std::string_view text) {
    static constexpr unsigned char nothing = 0;  // OpenSSL takes an empty key by length, but not by a null pointer.
    return text.empty() ? &nothing : reinterpret_cast<const unsigned char*>(text.data());
}

std::string text_of(const unsigned char* bytes, std::size_t size) {
    return {reinterpret_cast<const char*>(bytes), size};
}

std::string hmac(const EVP_MD* hash, std::string_view key, std::string_view message) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
    unsigned size = 0;
    ENSURE(key.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max()));
    const auto* done =
        HMAC(hash, bytes_of(key), static_cast<int>(key.size()), bytes_of(message), message.size(), out.data(), &size);
    ENSURE(done != nullptr);  // Only a lack of memory, or an OpenSSL without SHA.
    return text_of(out.data(), size);
}

}  // namespace

std::string sha1(std::string_view bytes) {
    std::array<unsigned char, SHA_DIGEST_LENGTH> out{};
    SHA1(bytes_of(bytes), bytes.size(), out.data());
    return text_of(out.data(), out.size());
}

std::string sha256(std::string_view bytes) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> out{};
    SHA256(bytes_of(bytes), bytes.size(), out.data());
    return text_of(out.data(), out.size());
}

std::string hmac_sha1(std::string_view key, std::string_view message) {
    return hmac(EVP_sha1(), key, message);
}

std::string hmac_sha256(std::string_view key, std::string_view message) {
    return hmac(EVP_sha256(), key, message);
}

std::string to_base64(std::string_view bytes) {
    std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');  // EVP_EncodeBlock writes a terminating zero.
    const int size =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes_of(bytes), static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

std::string to_base64url(std::string_view bytes) {
    std::string out = to_base64(bytes);
    for (char& c : out) {
        c = c == '+' ? '-' : c == '/' ? '_' : c;
    }
    while (out.ends_with('=')) {
        out.pop_back();
    }
    return out;
}

}  // namespace agentlocator
