#include "worker/api/client_address.hpp"

#include "common/text.hpp"
#include "worker/base_url.hpp"

namespace agentlocator {
namespace {

constexpr std::size_t address_bytes_max = 64;  // A numeric address has 45 at most (RFC 4291), some proxies add a port.

}  // namespace

std::string client_address(const HttpRequest& request, const Settings& settings, std::string_view remote_address) {
    std::string nearest(remote_address);
    if (!trusted_proxy(settings.trusted_proxies, remote_address)) {
        return nearest;
    }
    // Several headers are one list (RFC 9110 5.3).
    std::vector<std::string_view> hops;
    for (const HttpHeader& header : request.headers) {
        if (equal_no_case(header.name, "X-Forwarded-For")) {
            for (const std::string_view hop : split(header.value, ',')) {
                hops.push_back(trim(hop));
            }
        }
    }
    for (auto hop = hops.rbegin(); hop != hops.rend(); ++hop) {
        if (hop->empty() || hop->size() > address_bytes_max) {
            return nearest;  // What stands in front of something broken is anybody's invention.
        }
        nearest = std::string(*hop);
        if (!trusted_proxy(settings.trusted_proxies, *hop)) {
            return nearest;
        }
    }
    return nearest;
}

}  // namespace agentlocator
