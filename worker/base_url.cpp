#include "worker/base_url.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "common/text.hpp"

namespace agentlocator {

namespace {

bool is_alphanumeric(char c) {
    const char lower = to_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9');
}

// RFC 3986 3.3, pchar; percent signs are taken as they come.
bool is_path_character(char c) {
    return is_alphanumeric(c) || std::string_view("/-._~!$&'()*+,;=:@%").find(c) != std::string_view::npos;
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), to_lower);
    return out;
}

struct HostAndPort {
    std::string_view host;
    std::string_view port;
    bool colon = false;
};

HostAndPort split_authority(std::string_view authority) {
    const auto bracket = authority.rfind(']');
    const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (colon == std::string_view::npos) {
        return {authority, {}, false};
    }
    return {authority.substr(0, colon), authority.substr(colon + 1), true};
}

bool valid_name(std::string_view host) {
    // Underscores occur in compose service names. A dot at the end is legal, two in a row are not.
    return !host.empty() && host.size() <= host_bytes_max && is_alphanumeric(host.front()) &&
           host.find("..") == std::string_view::npos && std::all_of(host.begin(), host.end(), [](char c) {
               return is_alphanumeric(c) || c == '-' || c == '.' || c == '_';
           });
}

bool valid_port(std::string_view port) {
    const auto number = port.size() <= 5 ? parse_integer(port) : std::nullopt;
    return number && *number >= 1 && *number <= 65535;
}

// inet_pton reads up to a NUL: text behind one would pass unseen.
bool read_address(int family, std::string_view text, void* out) {
    return text.find('\0') == std::string_view::npos && inet_pton(family, std::string(text).c_str(), out) == 1;
}

bool is_v6_literal(std::string_view host) {
    if (host.size() < 4 || host.front() != '[' || host.back() != ']') {
        return false;
    }
    in6_addr address{};
    return read_address(AF_INET6, host.substr(1, host.size() - 2), &address);
}

bool is_address(std::string_view host) {
    in_addr address{};
    return is_v6_literal(host) || read_address(AF_INET, host, &address);
}

BaseUrl make_base(bool secure, bool known, std::string_view authority) {
    const HostAndPort parts = split_authority(authority);
    return {secure, known, std::string(parts.host), std::string(parts.port), {}};
}

std::string_view first_element(std::string_view list) {
    return trim(list.substr(0, list.find(',')));
}

// Loopback, RFC 1918, RFC 6598 (shared, used between platform proxies and instances), link-local.
bool is_private_v4(const std::uint8_t* a) {
    return a[0] == 127 || a[0] == 10 || (a[0] == 172 && (a[1] & 0xf0) == 16) || (a[0] == 192 && a[1] == 168) ||
           (a[0] == 100 && (a[1] & 0xc0) == 64) || (a[0] == 169 && a[1] == 254);
}

using V6 = std::array<std::uint8_t, 16>;

// Any address as IPv6, IPv4 mapped (RFC 4291 2.5.5.2), so that "127.0.0.1" and "::ffff:127.0.0.1" are one.
std::optional<V6> to_v6(std::string_view text) {
    V6 out{};
    if (read_address(AF_INET6, text, out.data())) {
        return out;
    }
    out = {};
    if (read_address(AF_INET, text, out.data() + 12)) {
        out[10] = out[11] = 0xff;
        return out;
    }
    return std::nullopt;
}

bool is_private(const V6& address) {
    constexpr V6 mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
    constexpr V6 loopback{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    if (std::equal(mapped.begin(), mapped.begin() + 12, address.begin())) {
        return is_private_v4(address.data() + 12);
    }
    const bool unique_local = (address[0] & 0xfe) == 0xfc;                      // RFC 4193
    const bool link_local = address[0] == 0xfe && (address[1] & 0xc0) == 0x80;  // RFC 4291 2.5.6
    return address == loopback || unique_local || link_local;
}

// The scheme of X-Forwarded-Proto; some proxies name the WebSocket schemes for upgrades.
std::optional<bool> forwarded_secure(std::string_view proto) {
    if (equal_no_case(proto, "https") || equal_no_case(proto, "wss")) {
        return true;
    }
    if (equal_no_case(proto, "http") || equal_no_case(proto, "ws")) {
        return false;
    }
    return std::nullopt;
}

}  // namespace

std::string BaseUrl::http() const {
    std::string out = secure ? "https://" : "http://";
    out += lower(host);
    if (!port.empty() && port != (secure ? "443" : "80")) {
        out += ':';
        out += port;
    }
    return out + prefix;
}

std::string BaseUrl::websocket() const {
    // Always wss: Twilio refuses any other scheme (31922), also where TLS is not noticed here, as behind a tunnel.
    const std::string url = http();
    return "wss" + url.substr(url.find(':'));
}

std::optional<BaseUrl> parse_base_url(std::string_view url) {
    const auto mark = url.find("://");
    if (mark == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view scheme = url.substr(0, mark);
    const bool secure = equal_no_case(scheme, "https");
    if (!secure && !equal_no_case(scheme, "http")) {
        return std::nullopt;
    }
    url.remove_prefix(mark + 3);
    const auto slash = std::min(url.find('/'), url.size());
    if (!valid_authority(url.substr(0, slash))) {
        return std::nullopt;
    }
    BaseUrl base = make_base(secure, true, url.substr(0, slash));
    for (const char c : url.substr(slash)) {
        if (!is_path_character(c)) {
            return std::nullopt;
        }
        if (c != '/' || !base.prefix.ends_with('/')) {
            base.prefix.push_back(c);
        }
    }
    if (base.prefix.ends_with('/')) {
        base.prefix.pop_back();
    }
    return base;
}

bool valid_authority(std::string_view authority) {
    const HostAndPort parts = split_authority(authority);
    return (valid_name(parts.host) || is_v6_literal(parts.host)) && (!parts.colon || valid_port(parts.port));
}

bool trusted_proxy(const std::vector<std::string>& trusted, std::string_view remote_address) {
    const auto remote = to_v6(remote_address);
    if (!remote) {
        return false;
    }
    return std::any_of(trusted.begin(), trusted.end(), [&](const std::string& entry) {
        return equal_no_case(entry, private_networks) ? is_private(*remote) : to_v6(entry) == remote;
    });
}

std::optional<BaseUrl> base_from_request(const HttpRequest& request, const Settings& settings,
                                         std::string_view remote_address) {
    std::string_view authority = request.header("Host").value_or(std::string_view());
    std::optional<bool> secure;
    if (trusted_proxy(settings.trusted_proxies, remote_address)) {
        const auto forwarded = first_element(request.header("X-Forwarded-Host").value_or(std::string_view()));
        if (valid_authority(forwarded)) {
            authority = forwarded;
        }
        secure = forwarded_secure(first_element(request.header("X-Forwarded-Proto").value_or(std::string_view())));
    }
    authority = trim(authority);
    if (!valid_authority(authority)) {
        return std::nullopt;
    }
    const HostAndPort parts = split_authority(authority);
    const bool local =
        is_address(parts.host) || equal_no_case(parts.host, "localhost") || lower(parts.host).ends_with(".localhost");
    const bool guess = !local && (!parts.colon || parts.port == "443");
    return make_base(secure.value_or(guess), secure.has_value(), authority);
}

Result<BaseUrl> public_base(const HttpRequest& request, const Settings& settings, std::string_view remote_address) {
    if (auto configured = parse_base_url(settings.public_base_url)) {
        return *std::move(configured);
    }
    if (auto base = base_from_request(request, settings, remote_address)) {
        return *std::move(base);
    }
    return error(Errc::bad_message, "the request names no valid host; set PUBLIC_BASE_URL");
}

}  // namespace agentlocator
