#pragma once
// A voice note on its way to text: fetched from where it lies, then written down by a service of the chain. Pure.
//
//   fetching --file--> transcribing --text (maybe none)--> done
//      |                   | nobody answers: failed, to be tried again later
//      | for now: failed   | nobody can read it: impossible
//      | for good (gone, too large, no sound): impossible
#include <functional>
#include <optional>
#include <string>

#include "worker/agent/file_transcriber.hpp"

namespace agentlocator {

// Where the files of messages lie.
class MediaSource {
public:
    struct File {
        SoundFile sound{};
        std::string problem{};  // Not empty: there is no file, and why.
        bool later = false;     // ... but there may be one later.
    };
    using Done = std::function<void(File)>;
    // `done` comes once, later, and not after the operation is destroyed. `provider`, `url`: of the message.
    [[nodiscard]] virtual OperationPtr fetch(const std::string& provider, const std::string& url, std::size_t bytes_max,
                                             Done done) = 0;

protected:
    MediaSource() = default;
    MediaSource(const MediaSource&) = default;
    MediaSource& operator=(const MediaSource&) = default;
    ~MediaSource() = default;
};

class VoiceNote {
public:
    enum class State : std::uint8_t { running, done, failed, impossible };
    using Transcribers = ProviderChain<FileTranscriber>;

    struct Wanted {
        std::string provider{};  // Of the message.
        std::string url{};
        std::string language{};  // "he", "en"
    };
    // `wake`: run() is wanted soon. `told`: what a service answered, for the log. Chain and source outlive it.
    VoiceNote(Transcribers& chain, MediaSource& media, Wanted wanted, std::function<void()> wake,
              std::function<void(const ProviderError&)> told, TimePoint now);
    ~VoiceNote();
    VoiceNote(const VoiceNote&) = delete;
    VoiceNote& operator=(const VoiceNote&) = delete;

    void run(TimePoint now);
    [[nodiscard]] std::optional<TimePoint> deadline() const { return due_; }
    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] const std::string& text() const { return text_; }
    [[nodiscard]] const std::string& problem() const { return problem_; }

    // Ten minutes of WhatsApp's opus at its highest rate; a service takes 25 MB, a person's patience less.
    static constexpr std::size_t bytes_max = 4U << 20U;
    static constexpr Duration fetch_max = std::chrono::seconds(20);
    static constexpr Duration transcribe_max = std::chrono::seconds(30);  // Of one service.
    static constexpr std::size_t text_bytes_max = 16'384;                 // Of what is taken for words.

private:
    struct Heard {
        std::string text{};
        std::optional<ProviderError> error{};
    };
    void take_file(TimePoint now);
    void take_heard(TimePoint now);
    void ask(FileTranscriber* transcriber, TimePoint now);
    void end(State state, std::string problem = {});

    ChainWalk<FileTranscriber> walk_;
    const Wanted wanted_;
    const std::function<void()> wake_;
    const std::function<void(const ProviderError&)> told_;
    State state_ = State::running;
    std::optional<TimePoint> due_;
    // Filled by callbacks, looked at in run(): no operation is destroyed inside its own callback.
    std::optional<MediaSource::File> fetched_;
    std::optional<Heard> heard_;
    SoundFile file_;
    std::string text_;
    std::string problem_;
    bool readable_ = false;  // Some service failed for another reason than the file itself.
    OperationPtr operation_;
};

}  // namespace agentlocator
