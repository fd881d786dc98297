#include "worker/agent/provider.hpp"

namespace agentlocator {

std::string_view to_string(ProviderErrorClass error_class) {
    switch (error_class) {
        case ProviderErrorClass::cancelled: return "cancelled";
        case ProviderErrorClass::timeout: return "timeout";
        case ProviderErrorClass::network: return "network";
        case ProviderErrorClass::server: return "server";
        case ProviderErrorClass::rate_limited: return "rate_limited";
        case ProviderErrorClass::quota: return "quota";
        case ProviderErrorClass::auth: return "auth";
        case ProviderErrorClass::bad_request: return "bad_request";
        case ProviderErrorClass::content_filter: return "content_filter";
        case ProviderErrorClass::lifetime: return "lifetime";
        case ProviderErrorClass::protocol: return "protocol";
    }
    return "server";
}

}  // namespace agentlocator
