#include "supervisor/call/playback.hpp"

#include <algorithm>
#include <utility>

namespace agentlocator::call {

bool Playback::on_media(TimePoint now, std::string_view audio) {
    if (buffered() + audio.size() > playback_bytes_max) {
        return false;
    }
    if (in_utterance_ && hole_ > Duration::zero()) {
        ++underruns_;
        longest_hole_ = std::max(longest_hole_, hole_);
    }
    hole_ = Duration::zero();
    in_utterance_ = true;
    if (begin_ > 0 && (begin_ == audio_.size() || begin_ > 64 * 1024)) {
        audio_.erase(0, begin_);
        begin_ = 0;
    }
    audio_ += audio;
    partial_since_ = now;
    return true;
}

void Playback::end_utterance() {
    in_utterance_ = false;
    hole_ = Duration::zero();
}

void Playback::echo_reached(std::vector<std::string>& echoes) {
    while (!marks_.empty() && marks_.front().position <= head_) {
        echoes.push_back(std::move(marks_.front().name));
        marks_.pop_front();
    }
}

void Playback::on_mark(std::string name, std::vector<std::string>& echoes) {
    end_utterance();
    marks_.push_back({std::move(name), head_ + buffered()});
    echo_reached(echoes);
}

void Playback::on_clear(std::vector<std::string>& echoes) {
    end_utterance();
    dropped_ += buffered();
    head_ += buffered();
    audio_.clear();
    begin_ = 0;
    echo_reached(echoes);
}

bool Playback::on_tick(TimePoint now, Frame& heard, std::vector<std::string>& echoes) {
    heard.fill(mulaw_silence);
    const std::size_t count = std::min(buffered(), frame_bytes);
    const bool ready = count == frame_bytes || (count > 0 && now - partial_since_ >= partial_wait);
    if (!ready) {
        if (in_utterance_) {
            hole_ += frame_time;
        }
        return false;
    }
    std::copy_n(audio_.begin() + static_cast<std::ptrdiff_t>(begin_), count, heard.begin());
    begin_ += count;
    head_ += count;
    played_ += count;
    if (buffered() < frame_bytes) {
        partial_since_ = now;
    }
    echo_reached(echoes);
    return true;
}

}  // namespace agentlocator::call
