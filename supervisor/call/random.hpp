#pragma once
// SplitMix64: a seeded source of numbers, so that a call can be repeated exactly. Pure; not for secrets.
#include <cstdint>
#include <string>

namespace agentlocator::call {

class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        return z ^ (z >> 31);
    }
    std::uint32_t next32() { return static_cast<std::uint32_t>(next() >> 32); }
    // Uniform enough for ranges far below 2^64.
    int between(int low, int high) {
        return low + static_cast<int>(next() % static_cast<std::uint64_t>(high - low + 1));
    }
    double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }  // [0, 1)
    std::string hex_digits(int count) {
        std::string text;
        for (int i = 0; i < count; ++i) {
            text += "0123456789abcdef"[next() & 15U];
        }
        return text;
    }

private:
    std::uint64_t state_;
};

}  // namespace agentlocator::call
