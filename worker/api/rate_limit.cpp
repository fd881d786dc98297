#include "worker/api/rate_limit.hpp"

#include <algorithm>

namespace agentlocator {

bool RateLimit::allow(std::string_view key, TimePoint now) {
    auto found = by_key_.find(key);
    if (found == by_key_.end()) {
        if (buckets_.size() >= keys_max_) {
            by_key_.erase(buckets_.back().key);
            buckets_.pop_back();
        }
        buckets_.push_front({std::string(key), burst_, now});
        found = by_key_.emplace(buckets_.front().key, buckets_.begin()).first;
    } else {
        buckets_.splice(buckets_.begin(), buckets_, found->second);
    }
    Bucket& bucket = buckets_.front();
    const double earned = std::chrono::duration<double>(now - bucket.filled) / std::chrono::duration<double>(every_);
    bucket.tokens = std::min(burst_, bucket.tokens + std::max(earned, 0.0));
    bucket.filled = now;
    if (bucket.tokens < 1.0) {
        return false;
    }
    bucket.tokens -= 1.0;
    return true;
}

}  // namespace agentlocator
