// What a speech service sends as sound: the same in pieces as at once, whole or refused, and never more than its rate
// allows.
#include <string>
#include <utility>
#include <vector>

#include "tests/fuzz/check.hpp"
#include "worker/providers/telephone_audio.hpp"

namespace {

using namespace agentlocator;

constexpr WavFormat formats[] = {{WavFormat::Encoding::mulaw, 8000, 1},
                                 {WavFormat::Encoding::pcm16, 24'000, 1},
                                 {WavFormat::Encoding::pcm16, 8000, 1}};

std::pair<bool, std::vector<std::uint8_t>> convert(std::string_view bytes, WavFormat raw, std::size_t step) {
    ToTelephone converter(raw);
    std::vector<std::uint8_t> out;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        if (!converter.feed(bytes.substr(at, step), out)) {
            return {false, {}};
        }
    }
    if (!converter.finish(out)) {
        return {false, {}};
    }
    return {true, out};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 3) {
        return 0;
    }
    const std::string_view bytes = text_of(data + 2, size - 2);
    const WavFormat raw = formats[data[1] % std::size(formats)];
    const auto whole = convert(bytes, raw, bytes.size());
    MUST(whole == convert(bytes, raw, data[0] % 64 + 1U));
    // The slowest rate stretches most; a filter holds some samples more.
    MUST(whole.second.size() <= bytes.size() * (8000 / Resampler::rate_min + 1) + 1024);
    return 0;
}
