#pragma once
// X-Twilio-Signature: is this request from Twilio? (Twilio docs: Security, Validating requests.) Pure.
//
//   signed text = URL as Twilio has it + for each name, sorted: for each value, sorted, without doubles: name + value
//   header      = base64(HMAC-SHA1(auth token, signed text))
//
// A proxy changes what we see of the URL, and Twilio is not consistent about ports, so a handful of forms is tried.
// Fields count for form bodies only; a body of another type is proved by the bodySHA256 item of the (signed) query.
#include <string>
#include <string_view>
#include <vector>

#include "common/config.hpp"
#include "common/http_message.hpp"
#include "worker/base_url.hpp"
#include "worker/form.hpp"

namespace agentlocator {

// The header's value for this URL and these fields (empty when the parameters are not part of it).
[[nodiscard]] std::string twilio_signature(std::string_view auth_token, std::string_view url, const FormFields& fields);

// The same URL without a port and with one: the given one, else 443 or 80. Twilio drops the port for voice over HTTPS
// and keeps it for messages.
[[nodiscard]] std::vector<std::string> port_forms(std::string_view url);

// "/path?query" of any request target: the absolute form of RFC 9112 3.2.2 loses its front.
[[nodiscard]] std::string_view origin_form(std::string_view target);

// URLs that Twilio may have signed, most likely first: from PUBLIC_BASE_URL, then from the request itself (the number
// may still be configured with an older name of this server; a signature for it needs our auth token all the same).
[[nodiscard]] std::vector<std::string> signed_url_candidates(const HttpRequest& request, const Settings& settings,
                                                             std::string_view remote_address);

// For an upgrade: scheme ws(s), and the path as it is, with one more slash at its end, and without its slash.
[[nodiscard]] std::vector<std::string> signed_stream_url_candidates(const HttpRequest& request,
                                                                    const Settings& settings,
                                                                    std::string_view remote_address);

// True when the body is a form and its fields are signed. Twilio's parameters of a GET stand in the query, which is
// part of the URL.
[[nodiscard]] bool has_form_body(const HttpRequest& request);

enum class SignatureVerdict : std::uint8_t { genuine, missing, mismatch, body_not_covered };
[[nodiscard]] std::string_view to_string(SignatureVerdict verdict);

// Either auth token counts (rotation). `form`: the decoded body of a form POST; unused for other requests.
[[nodiscard]] SignatureVerdict check_signature(const HttpRequest& request, const FormFields& form,
                                               const std::vector<std::string>& urls, const Settings& settings);

}  // namespace agentlocator
