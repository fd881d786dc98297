#pragma once
// Token buckets, one a key (a client's address, a telephone number). Pure; bounded: when all are in use the one that
// was used longest ago is forgotten, which gives its owner a full bucket and nothing to an attacker who has many
// addresses anyway.
#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/time.hpp"

namespace agentlocator {

class RateLimit {
public:
    // At most `burst` at once, then one every `every`. At most `keys_max` keys are known.
    RateLimit(double burst, Duration every, std::size_t keys_max) : burst_(burst), every_(every), keys_max_(keys_max) {}

    [[nodiscard]] bool allow(std::string_view key, TimePoint now);
    [[nodiscard]] std::size_t keys() const { return by_key_.size(); }

private:
    struct Bucket {
        std::string key;
        double tokens;
        TimePoint filled;
    };
    const double burst_;
    const Duration every_;
    const std::size_t keys_max_;
    std::list<Bucket> buckets_;                                                 // Last used first.
    std::unordered_map<std::string_view, std::list<Bucket>::iterator> by_key_;  // Views into the buckets' keys.
};

}  // namespace agentlocator
