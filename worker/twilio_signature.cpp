#include "worker/twilio_signature.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "common/ensure.hpp"
#include "common/text.hpp"
#include "worker/digest.hpp"

namespace agentlocator {

namespace {

constexpr std::string_view body_hash_name = "bodySHA256=";

void add_new(std::vector<std::string>& list, std::string item) {
    if (std::find(list.begin(), list.end(), item) == list.end()) {
        list.push_back(std::move(item));
    }
}

// Twilio signs the host as it is spelled in its settings; on the way to us it may have been lower-cased.
std::vector<std::string> fronts_of(const BaseUrl& base, bool websocket) {
    std::vector<std::string> fronts;
    std::vector<bool> schemes{base.secure};
    if (!base.scheme_known) {
        schemes.push_back(!base.secure);
    }
    for (const bool secure : schemes) {
        const std::string scheme = std::string(websocket ? "ws" : "http") + (secure ? "s://" : "://");
        const std::string port = base.port.empty() ? "" : ":" + base.port;
        std::string lower_host = base.host;
        std::transform(lower_host.begin(), lower_host.end(), lower_host.begin(), to_lower);
        add_new(fronts, scheme + base.host + port);
        add_new(fronts, scheme + lower_host + port);
    }
    return fronts;
}

// The target as Twilio knows it: below our prefix, whether the proxy took the prefix away or not.
std::string full_target(const BaseUrl& base, std::string_view target) {
    const bool has_prefix =
        target.starts_with(base.prefix) &&
        (target.size() == base.prefix.size() || target[base.prefix.size()] == '/' || target[base.prefix.size()] == '?');
    return base.prefix.empty() || has_prefix ? std::string(target) : base.prefix + std::string(target);
}

std::vector<std::string> candidates(const HttpRequest& request, const Settings& settings,
                                    std::string_view remote_address, bool websocket) {
    std::vector<std::string> urls;
    const auto add = [&](const BaseUrl& base) {
        const std::string target = full_target(base, origin_form(request.target));
        for (const std::string& front : fronts_of(base, websocket)) {
            for (std::string& url : port_forms(front + target)) {
                add_new(urls, std::move(url));
            }
        }
    };
    if (const auto configured = parse_base_url(settings.public_base_url)) {
        add(*configured);
    }
    if (const auto requested = base_from_request(request, settings, remote_address)) {
        add(*requested);
    }
    return urls;
}

// The first bodySHA256 item of the query: 64 lower-case hex digits when Twilio wrote it.
std::optional<std::string_view> body_hash(std::string_view query) {
    for (const std::string_view item : split(query, '&')) {
        if (item.starts_with(body_hash_name)) {
            return item.substr(body_hash_name.size());
        }
    }
    return std::nullopt;
}

std::string signed_text(const FormFields& fields) {
    std::map<std::string_view, std::set<std::string_view>> sorted;
    for (const FormField& one : fields) {
        sorted[one.name].insert(one.value);
    }
    std::string text;
    for (const auto& [name, values] : sorted) {
        for (const std::string_view value : values) {
            text.append(name).append(value);
        }
    }
    return text;
}

}  // namespace

std::string twilio_signature(std::string_view auth_token, std::string_view url, const FormFields& fields) {
    return to_base64(hmac_sha1(auth_token, std::string(url) + signed_text(fields)));
}

bool has_form_body(const HttpRequest& request) {
    return request.method == "POST" && is_form_type(request.header("Content-Type").value_or(std::string_view()));
}

std::vector<std::string> port_forms(std::string_view url) {
    const auto mark = url.find("://");
    if (mark == std::string_view::npos) {
        return {std::string(url)};
    }
    const std::string_view scheme = url.substr(0, mark);
    const std::string_view front = url.substr(0, mark + 3);
    const std::string_view rest = url.substr(mark + 3);
    const auto path = std::min(rest.find_first_of("/?#"), rest.size());
    const std::string_view authority = rest.substr(0, path);
    const auto bracket = authority.rfind(']');  // A colon is a port only behind the brackets of IPv6.
    const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
    const std::string host(authority.substr(0, colon));
    std::string port = scheme == "https" || scheme == "wss" ? ":443" : ":80";
    if (colon != std::string_view::npos) {
        port = authority.substr(colon);
    }
    const std::string tail(rest.substr(path));
    return {std::string(front) + host + tail, std::string(front) + host + port + tail};
}

std::string_view origin_form(std::string_view target) {
    const auto mark = target.find("://");
    if (target.starts_with('/') || mark == std::string_view::npos) {
        return target;
    }
    const auto path = target.find('/', mark + 3);
    return path == std::string_view::npos ? "/" : target.substr(path);
}

std::vector<std::string> signed_url_candidates(const HttpRequest& request, const Settings& settings,
                                               std::string_view remote_address) {
    return candidates(request, settings, remote_address, false);
}

std::vector<std::string> signed_stream_url_candidates(const HttpRequest& request, const Settings& settings,
                                                      std::string_view remote_address) {
    std::vector<std::string> urls;
    for (const std::string& url : candidates(request, settings, remote_address, true)) {
        const auto end = std::min(url.find('?'), url.size());
        const std::string path = url.substr(0, end);
        const std::string query = url.substr(end);
        add_new(urls, url);
        add_new(urls, path + "/" + query);
        if (path.ends_with('/')) {
            add_new(urls, path.substr(0, path.size() - 1) + query);
        }
    }
    return urls;
}

std::string_view to_string(SignatureVerdict verdict) {
    switch (verdict) {
        case SignatureVerdict::genuine:
            return "genuine";
        case SignatureVerdict::missing:
            return "signature_missing";
        case SignatureVerdict::mismatch:
            return "signature_mismatch";
        case SignatureVerdict::body_not_covered:
            return "body_not_covered";
    }
    ensure_failed("SignatureVerdict has a name", __FILE__, __LINE__);
}

SignatureVerdict check_signature(const HttpRequest& request, const FormFields& form,
                                 const std::vector<std::string>& urls, const Settings& settings) {
    const std::string_view given = trim(request.header("X-Twilio-Signature").value_or(std::string_view()));
    if (given.empty()) {
        return SignatureVerdict::missing;
    }
    const bool has_form = has_form_body(request);
    const auto hash = body_hash(request.query());
    if (hash) {
        const std::string digest = sha256(request.body);
        if (!equal_constant_time(hex(digest.data(), digest.size()), *hash)) {
            return SignatureVerdict::mismatch;
        }
    } else if (!has_form && !request.body.empty()) {
        return SignatureVerdict::body_not_covered;
    }
    const std::string text = has_form && !hash ? signed_text(form) : std::string();
    for (const std::string_view token :
         std::array<std::string_view, 2>{settings.twilio_auth_token, settings.twilio_auth_token_old}) {
        for (const std::string& url : urls) {
            if (!token.empty() && equal_constant_time(given, to_base64(hmac_sha1(token, url + text)))) {
                return SignatureVerdict::genuine;
            }
        }
    }
    return SignatureVerdict::mismatch;
}

}  // namespace agentlocator
