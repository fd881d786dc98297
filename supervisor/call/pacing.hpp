#pragma once
// When each 20 ms of what the server says arrives, against when it is due: the moment Twilio's buffer begins to play
// it. Pure; the time is the wall's, taken when the bytes were read.
//
//   due      the first frame of an utterance is played at once, each other one when all before it has been played
//   late     how long after it was due a frame came: 0 for one in time, heard as a hole for any other. The first frame
//   of
//            an utterance sets the clock and has no lateness; so does one that comes after a hole.
//   lead     how long before it was due it came: what a slow moment of the server may cost without being heard, and
//   what
//            a `clear` takes back. Counted once an utterance is a second old: at its beginning nothing can be ahead.
//   silence  the longest time in which there was nothing to play, the one at the end included
//
// An utterance ends with a mark or `clear`, as in Playback.
#include <cstddef>

#include "supervisor/call/histogram.hpp"

namespace agentlocator::call {

struct PacingReport {
    Histogram late;
    Histogram lead;
    Duration lead_max{};  // Of all frames.
    Duration silence_max{};

    void merge(const PacingReport& other);
};

class Pacing {
public:
    static constexpr Duration settled_after = 1s;

    void begin(TimePoint now) { played_out_ = now; }
    void on_media(TimePoint now, std::size_t bytes);
    void on_mark() { in_utterance_ = false; }
    void on_clear(TimePoint now);
    void on_tick(TimePoint now);  // Often enough for `silence`.

    [[nodiscard]] const PacingReport& report() const { return report_; }

private:
    void note_frame(TimePoint now);

    PacingReport report_;
    TimePoint played_out_{};  // When all that came will have been played.
    TimePoint uttering_since_{};
    bool in_utterance_ = false;
};

}  // namespace agentlocator::call
