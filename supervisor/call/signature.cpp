#include "supervisor/call/signature.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <map>
#include <set>

#include "supervisor/call/base64.hpp"

namespace agentlocator::call {
namespace {

void append_encoded(std::string& out, std::string_view text) {
    constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.*";
    for (const char c : text) {
        if (c == ' ') {
            out += '+';
        } else if (plain.find(c) != std::string_view::npos) {
            out += c;
        } else {
            constexpr std::string_view digits = "0123456789ABCDEF";
            const auto byte = static_cast<unsigned char>(c);
            out += '%';
            out += digits[byte >> 4];
            out += digits[byte & 15];
        }
    }
}

std::string_view without_fragment(std::string_view url) {
    return url.substr(0, url.find('#'));
}

std::string without_user(std::string_view url) {
    const std::size_t authority = url.find("://");
    if (authority == std::string_view::npos) {
        return std::string(url);
    }
    const std::size_t begin = authority + 3;
    const std::size_t end = std::min(url.find_first_of("/?", begin), url.size());
    const std::size_t at = url.substr(begin, end - begin).rfind('@');
    if (at == std::string_view::npos) {
        return std::string(url);
    }
    return std::string(url.substr(0, begin)) + std::string(url.substr(begin + at + 1));
}

}  // namespace

std::string form_encode(const FormParameters& parameters) {
    std::string body;
    for (const auto& [name, value] : parameters) {
        if (!body.empty()) {
            body += '&';
        }
        append_encoded(body, name);
        body += '=';
        append_encoded(body, value);
    }
    return body;
}

std::string twilio_signature(std::string_view token, std::string_view url, const FormParameters& parameters) {
    std::map<std::string, std::set<std::string>> sorted;
    for (const auto& [name, value] : parameters) {
        sorted[name].insert(value);
    }
    std::string text = without_user(without_fragment(url));
    for (const auto& [name, values] : sorted) {
        for (const std::string& value : values) {
            text += name + value;
        }
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    HMAC(EVP_sha1(), token.data(), static_cast<int>(token.size()), reinterpret_cast<const unsigned char*>(text.data()),
         text.size(), digest.data(), &size);
    return base64({reinterpret_cast<const char*>(digest.data()), size});
}

}  // namespace agentlocator::call
