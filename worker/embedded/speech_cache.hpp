#pragma once
// Sentences already synthesised, by language and text; bounded by bytes of audio, the least recently used leave first.
// Pure.
#include <cstddef>
#include <list>
#include <map>
#include <string>
#include <string_view>

namespace agentlocator {

class SpeechCache {
public:
    explicit SpeechCache(std::size_t bytes_max) : bytes_max_(bytes_max) {}

    // The audio, or nullptr. Valid until the next put().
    [[nodiscard]] const std::string* find(std::string_view language, std::string_view text);
    // One sentence may take a quarter of the room at most: more would throw out everything for one text.
    void put(std::string_view language, std::string_view text, std::string audio);
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

private:
    struct Entry {
        std::string key;
        std::string audio;
    };
    static std::string key_of(std::string_view language, std::string_view text);

    std::size_t bytes_max_;
    std::size_t bytes_ = 0;
    std::list<Entry> entries_;  // Most recently used first.
    std::map<std::string, std::list<Entry>::iterator, std::less<>> index_;
};

}  // namespace agentlocator
