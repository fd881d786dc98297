#pragma once
// Twilio's outbound buffer of one stream (Twilio docs: Media Streams, media, mark and clear): a FIFO of audio and marks
// in order of arrival. Pure; the tick is the 20 ms audio clock.
//
//   media : append; more than ten minutes buffered: the message is discarded (31931)
//   tick  : play up to 160 bytes; a mark whose audio has all been played is echoed at once
//   mark  : append; nothing ahead of it: echoed at once
//   clear : all audio dropped, every mark still queued echoed in order
//
// A trailing part of a frame waits for more; after 40 ms it is played, padded with silence.
//
// It also listens for holes. From its first media to the mark or clear that ends it, an utterance should be heard
// without a break; a tick without audio inside one, followed by more of it, is an underrun.
#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "common/time.hpp"

namespace agentlocator::call {

constexpr std::size_t frame_bytes = 160;  // 20 ms of mu-law at 8 kHz.
constexpr Duration frame_time = 20ms;
constexpr std::size_t playback_bytes_max = 10 * 60 * 8000;  // Ten minutes.
constexpr Duration partial_wait = 40ms;
constexpr std::uint8_t mulaw_silence = 0xFF;

using Frame = std::array<std::uint8_t, frame_bytes>;

class Playback {
public:
    // False: discarded, the buffer is full.
    [[nodiscard]] bool on_media(TimePoint now, std::string_view audio);
    // The marks to echo, in order, are appended to `echoes`.
    void on_mark(std::string name, std::vector<std::string>& echoes);
    void on_clear(std::vector<std::string>& echoes);
    // Fills `heard` with what this 20 ms sounds like. True: some of it is audio from the server.
    [[nodiscard]] bool on_tick(TimePoint now, Frame& heard, std::vector<std::string>& echoes);

    [[nodiscard]] std::size_t buffered() const { return audio_.size() - begin_; }
    [[nodiscard]] std::size_t marks_waiting() const { return marks_.size(); }
    [[nodiscard]] std::uint64_t played() const { return played_; }
    [[nodiscard]] std::uint64_t dropped() const { return dropped_; }
    [[nodiscard]] std::uint32_t underruns() const { return underruns_; }
    [[nodiscard]] Duration longest_hole() const { return longest_hole_; }

private:
    struct Mark {
        std::string name;
        std::uint64_t position;  // Bytes appended before it.
    };
    void echo_reached(std::vector<std::string>& echoes);
    void end_utterance();

    std::string audio_;
    std::size_t begin_ = 0;
    std::deque<Mark> marks_;
    std::uint64_t head_ = 0;  // Absolute position of the next byte to play: played + dropped.
    std::uint64_t played_ = 0;
    std::uint64_t dropped_ = 0;
    TimePoint partial_since_{};  // Since when less than a frame is all there is.

    bool in_utterance_ = false;
    Duration hole_{};  // Ticks without audio since the last audio of this utterance.
    std::uint32_t underruns_ = 0;
    Duration longest_hole_{};
};

}  // namespace agentlocator::call
