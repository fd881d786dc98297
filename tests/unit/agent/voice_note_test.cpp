#include "worker/agent/voice_note.hpp"

#include <doctest/doctest.h>

#include "call_fixture.hpp"

using namespace agentlocator;
using namespace agentlocator::test;
using namespace std::chrono_literals;
using State = VoiceNote::State;

namespace {

class FakeTranscriber final : public FileTranscriber {
public:
    FakeTranscriber(std::string name, FakeClock& clock, Ledger& ledger)
        : name_(std::move(name)), clock_(clock), ledger_(ledger) {}
    [[nodiscard]] std::string_view name() const override { return name_; }
    [[nodiscard]] OperationPtr start(const SoundFile& file, std::string_view language, SttListener listener) override {
        asked.push_back(std::string(language) + " " + file.bytes);
        auto operation = std::make_unique<FakeOperation>(ledger_, clock_);
        operation->play(plans.take(), [this, listener = std::move(listener)](const Step& step) {
            if (step.kind == Step::Kind::fail) {
                listener.on_error(error_of(step, name_, "transcribe"));
            } else {
                listener.on_done(step.text);
            }
            return true;
        });
        return operation;
    }
    Plans plans;
    std::vector<std::string> asked;

private:
    std::string name_;
    FakeClock& clock_;
    Ledger& ledger_;
};

class Desk final : public MediaSource {
public:
    explicit Desk(int services = 2) {
        for (int i = 0; i < services; ++i) {
            auto made = std::make_unique<FakeTranscriber>(i == 0 ? "first" : "second", clock, ledger);
            transcribers.push_back(made.get());
            chain.emplace_back();
            chain.back().provider = std::move(made);
        }
        file.sound = {.bytes = "OggS", .mime = "audio/ogg; codecs=opus"};
    }
    [[nodiscard]] OperationPtr fetch(const std::string& provider, const std::string& url, std::size_t bytes_max,
                                     Done done) override {
        CHECK(bytes_max == VoiceNote::bytes_max);
        if (url.empty()) {
            return nullptr;
        }
        asked.push_back(provider + " " + url);
        auto operation = std::make_unique<FakeOperation>(ledger, clock);
        if (!hangs) {
            operation->play({{.kind = Step::Kind::done, .after = 100ms}}, [this, done = std::move(done)](const Step&) {
                done(file);
                return true;
            });
        }
        return operation;
    }
    // Until it is over, by the fake clock.
    std::unique_ptr<VoiceNote> understand(const std::string& url = "/v1/media/1") {
        auto note = std::make_unique<VoiceNote>(
            chain, *this, VoiceNote::Wanted{.provider = "baileys", .url = url, .language = "he"}, [] {},
            [this](const ProviderError& error) { told.push_back(error); }, clock.now);
        for (int step = 0; step < 1000 && note->state() == State::running; ++step) {
            note->run(clock.now);
            auto next = clock.next();
            if (const auto due = note->deadline(); due && (!next || *due < *next)) {
                next = due;
            }
            if (next && *next > clock.now) {
                clock.now = *next;
            }
            clock.run_due();
        }
        CHECK(ledger.running == 0);
        return note;
    }

    FakeClock clock;
    Ledger ledger;
    VoiceNote::Transcribers chain;
    std::vector<FakeTranscriber*> transcribers;
    File file;
    bool hangs = false;
    std::vector<std::string> asked;
    std::vector<ProviderError> told;
};

}  // namespace

TEST_CASE("voice note: is fetched, written down and trimmed") {
    Desk desk;
    desk.transcribers[0]->plans.queue = {heard("  a flat in Haifa ")};
    const auto note = desk.understand();
    CHECK(note->state() == State::done);
    CHECK(note->text() == "a flat in Haifa");
    CHECK(desk.asked == std::vector<std::string>{"baileys /v1/media/1"});
    CHECK(desk.transcribers[0]->asked == std::vector<std::string>{"he OggS"});
    CHECK(desk.told.empty());
}

TEST_CASE("voice note: one in which nothing is said is understood, and says nothing") {
    Desk desk;
    desk.transcribers[0]->plans.queue = {heard("")};
    const auto note = desk.understand();
    CHECK(note->state() == State::done);
    CHECK(note->text().empty());
}

TEST_CASE("voice note: without a recogniser, an address or sound that it reads nothing is tried") {
    CHECK(Desk(0).understand()->state() == State::impossible);
    CHECK(Desk().understand("")->state() == State::impossible);
    for (const char* mime : {"audio/amr", "video/mp4", "text/html", ""}) {
        Desk desk;
        desk.file.sound.mime = mime;
        CHECK(desk.understand()->state() == State::impossible);
        CHECK(desk.transcribers[0]->asked.empty());
    }
    Desk empty;
    empty.file.sound.bytes.clear();
    CHECK(empty.understand()->state() == State::impossible);
}

TEST_CASE("voice note: a file that is gone is given up, one that does not come now is tried again") {
    Desk desk;
    desk.file = {.sound = {}, .problem = "status 410", .later = false};
    CHECK(desk.understand()->state() == State::impossible);
    desk.file.later = true;
    CHECK(desk.understand()->state() == State::failed);
    desk.hangs = true;
    const TimePoint begun = desk.clock.now;
    CHECK(desk.understand()->state() == State::failed);
    CHECK(desk.clock.now - begun == VoiceNote::fetch_max);
}

TEST_CASE("voice note: when a service fails the next one is asked; when all do, it is tried again later") {
    Desk desk;
    desk.transcribers[0]->plans.queue = {fails(ProviderErrorClass::auth)};
    desk.transcribers[1]->plans.queue = {heard("hello")};
    CHECK(desk.understand()->text() == "hello");
    CHECK(desk.told.size() == 1);
    desk.transcribers[1]->plans.queue = {hangs()};
    const TimePoint begun = desk.clock.now;
    CHECK(desk.understand()->state() == State::failed);  // The first is left alone now; the second was asked twice.
    CHECK(desk.clock.now - begun >= VoiceNote::transcribe_max);
    CHECK(desk.told.back().error_class == ProviderErrorClass::timeout);
}

TEST_CASE("voice note: what every service refuses to read is given up") {
    Desk desk;
    for (FakeTranscriber* one : desk.transcribers) {
        one->plans.queue = {fails(ProviderErrorClass::bad_request)};
    }
    const auto note = desk.understand();
    CHECK(note->state() == State::impossible);
    CHECK(note->problem() == "made up");
}

TEST_CASE("voice note: no more words are taken than a message may have") {
    Desk desk;
    desk.transcribers[0]->plans.queue = {heard(std::string(VoiceNote::text_bytes_max + 1, 'x'))};
    CHECK(desk.understand()->text().size() == VoiceNote::text_bytes_max);
}

TEST_CASE("voice note: the file's name says what it is") {
    CHECK(sound_file_name("audio/ogg; codecs=opus") == "voice.ogg");
    CHECK(sound_file_name("Audio/MPEG") == "voice.mp3");
    CHECK(sound_file_name("audio/mp4") == "voice.m4a");
    CHECK(sound_file_name("audio/oggx").empty());
}
