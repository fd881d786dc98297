#include "worker/embedded/speech_cache.hpp"

namespace agentlocator {

std::string SpeechCache::key_of(std::string_view language, std::string_view text) {
    std::string key(language);
    key += '\n';  // In no language's name.
    key += text;
    return key;
}

const std::string* SpeechCache::find(std::string_view language, std::string_view text) {
    const auto found = index_.find(key_of(language, text));
    if (found == index_.end()) {
        return nullptr;
    }
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->audio;
}

void SpeechCache::put(std::string_view language, std::string_view text, std::string audio) {
    std::string key = key_of(language, text);
    if (audio.empty() || audio.size() > bytes_max_ / 4 || index_.contains(key)) {
        return;
    }
    bytes_ += audio.size();
    entries_.push_front({key, std::move(audio)});
    index_.emplace(std::move(key), entries_.begin());
    while (bytes_ > bytes_max_) {
        bytes_ -= entries_.back().audio.size();
        index_.erase(entries_.back().key);
        entries_.pop_back();
    }
}

}  // namespace agentlocator
