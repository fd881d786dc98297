#include "common/ws_log.hpp"

#include "common/log_line.hpp"

namespace agentlocator::ws_log {
namespace {

std::string sid_of(std::string_view sid) {
    return " sid=" + (sid.empty() ? std::string("-") : log_value(sid));
}

std::string counts(std::uint64_t rx, std::uint64_t tx) {
    return " rx=" + std::to_string(rx) + " tx=" + std::to_string(tx);
}

std::string frames(std::uint64_t rx) {
    return " frames=" + std::to_string(rx);
}

}  // namespace

std::string connected(WsMode mode, bool hebrew_realtime) {
    return "WS_CONNECTED mode=" + std::string(to_string(mode)) +
           " hebrew_realtime=" + (hebrew_realtime ? "True" : "False");
}

std::string start(std::string_view sid, WsMode mode) {
    return "WS_START" + sid_of(sid) + " mode=" + std::string(to_string(mode));
}

std::string mark(std::string_view name) {
    return "WS_MARK name=" + log_value(name);
}

std::string stop(std::string_view sid, std::uint64_t rx, std::uint64_t tx) {
    return "WS_STOP" + sid_of(sid) + frames(rx) + counts(rx, tx);
}

std::string closed(std::string_view sid, std::uint64_t rx, std::uint64_t tx) {
    return "WS_CLOSED" + sid_of(sid) + frames(rx) + counts(rx, tx);
}

std::string done(std::string_view sid, std::uint64_t rx, std::uint64_t tx) {
    return "WS_DONE" + sid_of(sid) + counts(rx, tx);
}

std::string bad_json(std::string_view sid) {
    return "WS_BAD_JSON" + sid_of(sid);
}

std::string error(std::string_view sid, std::string_view detail) {
    return "WS_ERR:" + sid_of(sid) + " " + std::string(detail);
}

std::string tts_length(std::uint64_t pcm_bytes) {
    return "TTS_LEN_BYTES " + std::to_string(pcm_bytes);
}

}  // namespace agentlocator::ws_log
