#include "speech/io/server.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "common/log_line.hpp"
#include "common/mulaw.hpp"
#include "common/text.hpp"
#include "speech/io/server_connection.hpp"
#include "speech/text/front_end.hpp"

namespace agentlocator::speech {
namespace {

constexpr char samples_per_millisecond = 8;

Duration length_of(std::size_t mulaw_bytes) {
    return std::chrono::milliseconds(mulaw_bytes / samples_per_millisecond);
}

}  // namespace

SpeechServer::SpeechServer(EventLoop& loop, UniqueFd listener, const VoiceOptions& voice,
                           const RecogniserOptions& recogniser, Log log)
    : loop_(loop),
      log_(std::move(log)),
      listener_(std::move(listener)),
      accept_sink_([this](std::uint32_t) { accept(); }),
      engine_sink_([this](std::uint32_t) { on_engine_reports(); }),
      recogniser_sink_([this](std::uint32_t) { on_recogniser_reports(); }),
      engine_(voice, engine_reports_),
      recogniser_(recogniser, recogniser_reports_) {
    loop_.add(listener_.get(), EPOLLIN, accept_sink_);
    loop_.add(engine_reports_.fd(), EPOLLIN, engine_sink_);
    loop_.add(recogniser_reports_.fd(), EPOLLIN, recogniser_sink_);
}

SpeechServer::~SpeechServer() {
    connections_.clear();
    dropped_.clear();
    loop_.remove(listener_.get(), accept_sink_);
    loop_.remove(engine_reports_.fd(), engine_sink_);
    loop_.remove(recogniser_reports_.fd(), recogniser_sink_);
}

bool SpeechServer::is_stuck(TimePoint now) const {
    return clause_since_ && now - *clause_since_ > clause_max;
}

void SpeechServer::accept() {
    UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
        return;
    }
    if (connections_.size() >= connections_max) {
        log_(log_line("connection_refused", {{"reason", "too many connections"}, {"max", connections_max}}));
        return;
    }
    const std::uint64_t id = next_connection_++;
    connections_.emplace(id, std::make_unique<Connection>(*this, id, std::move(socket)));
}

SpeechServer::Connection* SpeechServer::find(std::uint64_t id) {
    const auto found = connections_.find(id);
    return found == connections_.end() ? nullptr : found->second.get();
}

// ---- What workers say ----

void SpeechServer::on_frame(Connection& connection, const SpeechFrame& frame) {
    if (frame.kind == SpeechKind::hello) {
        if (parse_integer(frame.text()) != speech_protocol_version || connection.greeted) {
            refuse(connection, 0, SpeechFailure::Kind::bad_request,
                   "this helper speaks version " + std::to_string(speech_protocol_version) + " of the protocol",
                   "restart the workers and the helper with the same build");
            return;
        }
        connection.greeted = true;
        say_ready();
        return;
    }
    if (!connection.ready || frame.kind >= SpeechKind::ready || frame.id == 0) {
        refuse(connection, 0, SpeechFailure::Kind::bad_request, "a frame that is not expected here");
        return;
    }
    switch (frame.kind) {
        case SpeechKind::speak:
            on_speak(connection, frame);
            break;
        case SpeechKind::listen:
            on_listen(connection, frame);
            break;
        case SpeechKind::audio:
        case SpeechKind::finish:
            on_audio(connection, frame);
            break;
        case SpeechKind::cancel:
            on_cancel(connection, frame.id);
            break;
        case SpeechKind::hello:
        case SpeechKind::ready:
        case SpeechKind::speech:
        case SpeechKind::spoken:
        case SpeechKind::partial:
        case SpeechKind::heard:
        case SpeechKind::failed:
            break;  // Taken care of above.
    }
}

void SpeechServer::on_speak(Connection& connection, const SpeechFrame& frame) {
    using Kind = SpeechFailure::Kind;
    const auto request = parse_speak_request(frame.text());
    if (!request) {
        refuse(connection, frame.id, Kind::bad_request, request.error().detail);
        return;
    }
    const auto language = parse_language(request->language);
    if (!language) {
        refuse(connection, frame.id, Kind::bad_request,
               "language \"" + request->language + "\" is not spoken; valid: he, en");
        return;
    }
    if (!*speaks_) {
        refuse(connection, frame.id, Kind::unavailable, "there is no voice: " + abilities_.detail);
        return;
    }
    std::vector<Clause> clauses = make_clauses(request->text, *language);
    if (clauses.empty()) {
        connection.send(SpeechKind::spoken, frame.id);
        return;
    }
    const SentenceKey key{connection.id(), frame.id};
    switch (queue_.add(Clock::now(), key, std::move(clauses))) {
        case SentenceQueue::Added::yes:
            speaking_[key];
            schedule();
            break;
        case SentenceQueue::Added::full:
            refuse(connection, frame.id, Kind::overloaded,
                   std::to_string(SentenceQueue::sentences_max) + " sentences wait already");
            break;
        case SentenceQueue::Added::repeated:
            refuse(connection, 0, Kind::bad_request, "an id was used twice");
            break;
    }
}

void SpeechServer::on_listen(Connection& connection, const SpeechFrame& frame) {
    using Kind = SpeechFailure::Kind;
    auto request = parse_listen_request(frame.text());
    const SentenceKey key{connection.id(), frame.id};
    if (!request) {
        refuse(connection, frame.id, Kind::bad_request, request.error().detail);
    } else if (!*hears_) {
        refuse(connection, frame.id, Kind::unavailable, "nothing can be recognised: " + abilities_.detail);
    } else if (utterances_.size() >= utterances_max) {
        refuse(connection, frame.id, Kind::overloaded,
               std::to_string(utterances_max) + " utterances are being recognised already");
    } else if (!utterances_.emplace(key, 0).second) {
        refuse(connection, 0, Kind::bad_request, "an id was used twice");
    } else {
        recogniser_.send({RecogniserTask::Kind::start, key, std::move(*request), {}});
    }
}

void SpeechServer::on_audio(Connection& connection, const SpeechFrame& frame) {
    const SentenceKey key{connection.id(), frame.id};
    const auto found = utterances_.find(key);
    if (found == utterances_.end()) {
        return;  // Refused or failed before; the worker has been told.
    }
    if (frame.kind == SpeechKind::finish) {
        recogniser_.send({RecogniserTask::Kind::finish, key, {}, {}});
        return;
    }
    found->second += frame.payload.size();
    if (found->second > utterance_bytes_max) {
        on_cancel(connection, frame.id);
        refuse(connection, frame.id, SpeechFailure::Kind::bad_request, "an utterance of more than 35 s");
        return;
    }
    recogniser_.send({RecogniserTask::Kind::audio, key, {}, {frame.payload.begin(), frame.payload.end()}});
}

void SpeechServer::on_cancel(Connection& connection, std::uint32_t id) {
    const SentenceKey key{connection.id(), id};
    if (queue_.cancel(key)) {
        engine_.stop();
    }
    speaking_.erase(key);
    if (utterances_.erase(key) > 0) {
        recogniser_.send({RecogniserTask::Kind::cancel, key, {}, {}});
    }
}

void SpeechServer::drop(Connection& connection) {
    const std::uint64_t id = connection.id();
    if (queue_.drop_connection(id)) {
        engine_.stop();
    }
    const auto of_connection = [id](const auto& item) { return item.first.connection == id; };
    std::erase_if(speaking_, of_connection);
    for (const auto& [key, bytes] : utterances_) {
        if (key.connection == id) {
            recogniser_.send({RecogniserTask::Kind::cancel, key, {}, {}});
        }
    }
    std::erase_if(utterances_, of_connection);
    connection.close();
    if (const auto found = connections_.find(id); found != connections_.end()) {
        dropped_.push_back(std::move(found->second));
        connections_.erase(found);
        loop_.defer([this] { dropped_.clear(); });
    }
}

// id 0: the connection itself, which ends.
void SpeechServer::refuse(Connection& connection, std::uint32_t id, SpeechFailure::Kind kind, std::string message,
                          std::string remedy) {
    connection.send(SpeechKind::failed, id, encode(SpeechFailure{kind, message, std::move(remedy)}));
    if (id == 0) {
        log_(log_line("connection_refused", {{"reason", message}}));
        drop(connection);
    }
}

// ---- What the engines say ----

void SpeechServer::say_ready() {
    if (!speaks_ || !hears_) {
        return;
    }
    const std::string payload = encode(abilities_);
    for (const auto& [id, connection] : connections_) {
        if (connection->greeted && !std::exchange(connection->ready, true)) {
            connection->send(SpeechKind::ready, 0, payload);
        }
    }
}

void SpeechServer::on_engine_reports() {
    for (EngineReport& report : engine_reports_.take()) {
        switch (report.kind) {
            case EngineReport::Kind::opened:
                speaks_ = true;
                abilities_.speaks = {"he", "en"};
                log_(log_line("voice_ready", {{"languages", "he,en"}}));
                break;
            case EngineReport::Kind::missing:
                speaks_ = false;
                abilities_.detail += (abilities_.detail.empty() ? "" : "; ") + report.fault;
                log_(log_line("voice_missing", {{"reason", report.fault}}));
                break;
            case EngineReport::Kind::audio:
                on_audio_made(report);
                break;
            case EngineReport::Kind::done:
            case EngineReport::Kind::failed:
                on_clause_done(report);
                break;
        }
    }
    say_ready();
    schedule();
}

void SpeechServer::on_audio_made(EngineReport& report) {
    clause_audio_ += length_of(report.audio.size());
    const auto key = queue_.at_engine();
    Connection* connection = key ? find(key->connection) : nullptr;
    if (connection != nullptr && speaking_.contains(*key)) {
        append_audio(*connection, key->id, {reinterpret_cast<const char*>(report.audio.data()), report.audio.size()},
                     false);
    }
}

void SpeechServer::on_clause_done(const EngineReport& report) {
    clause_since_.reset();
    const auto done = queue_.on_clause_done(Clock::now(), std::exchange(clause_audio_, Duration::zero()));
    Connection* connection = done ? find(done->key.connection) : nullptr;
    if (connection == nullptr) {
        return;
    }
    if (report.kind == EngineReport::Kind::failed) {
        log_(log_line("voice_failed", {{"reason", report.fault}}));
        (void)queue_.cancel(done->key);
        speaking_.erase(done->key);
        refuse(*connection, done->key.id, SpeechFailure::Kind::engine, report.fault);
        return;
    }
    if (!done->last) {
        const auto pause = std::chrono::duration_cast<std::chrono::milliseconds>(pause_after(done->end)).count();
        append_audio(
            *connection, done->key.id,
            std::string(static_cast<std::size_t>(pause) * samples_per_millisecond, static_cast<char>(mulaw_silence)),
            false);
        return;
    }
    append_audio(*connection, done->key.id, {}, true);
    speaking_.erase(done->key);
    connection->send(SpeechKind::spoken, done->key.id);
}

// Whole frames of 20 ms go out; what is left waits, or is filled up with silence at the end.
void SpeechServer::append_audio(Connection& connection, std::uint32_t id, std::string_view mulaw, bool last) {
    std::string& rest = speaking_[{connection.id(), id}].rest;
    rest += mulaw;
    if (last && rest.size() % frame_samples != 0) {
        rest.append(frame_samples - rest.size() % frame_samples, static_cast<char>(mulaw_silence));
    }
    const std::size_t whole = rest.size() - rest.size() % frame_samples;
    for (std::size_t from = 0; from < whole; from += speech_payload_max / frame_samples * frame_samples) {
        const std::size_t size = std::min(whole - from, speech_payload_max / frame_samples * frame_samples);
        connection.send(SpeechKind::speech, id, std::string_view(rest).substr(from, size));
    }
    rest.erase(0, whole);
}

void SpeechServer::on_recogniser_reports() {
    for (const RecogniserReport& report : recogniser_reports_.take()) {
        if (report.kind == RecogniserReport::Kind::opened) {
            hears_ = true;
            abilities_.hears = {"en", "he"};
            log_(log_line("recogniser_ready", {{"languages", "en,he"}}));
            continue;
        }
        if (report.kind == RecogniserReport::Kind::missing) {
            hears_ = false;
            abilities_.detail += (abilities_.detail.empty() ? "" : "; ") + report.text;
            log_(log_line("recogniser_missing", {{"reason", report.text}}));
            continue;
        }
        Connection* connection = find(report.key.connection);
        if (connection == nullptr || !utterances_.contains(report.key)) {
            continue;
        }
        if (report.kind == RecogniserReport::Kind::partial) {
            connection->send(SpeechKind::partial, report.key.id, report.text);
            continue;
        }
        utterances_.erase(report.key);
        if (report.kind == RecogniserReport::Kind::heard) {
            connection->send(SpeechKind::heard, report.key.id, report.text);
        } else {
            refuse(*connection, report.key.id, SpeechFailure::Kind::bad_request, report.text);
        }
    }
    say_ready();
}

void SpeechServer::schedule() {
    if (auto clause = queue_.take()) {
        clause_since_ = Clock::now();
        clause_audio_ = Duration::zero();
        engine_.speak(std::move(*clause));
    }
}

}  // namespace agentlocator::speech
