#include "worker/api/io/bridge_reader.hpp"

#include <pthread.h>

#include <csignal>

#include "common/io/life_lock.hpp"
#include "common/io/wall_clock.hpp"
#include "common/log_line.hpp"
#include "store/apply.hpp"
#include "worker/api/bridge_events.hpp"
#include "worker/api/io/http_call.hpp"

namespace agentlocator {

BridgeReader::BridgeReader(const Settings& settings, DatabaseAddress database, MessageMetrics& metrics,
                           std::function<void()> on_message, std::function<void(std::string)> say)
    : settings_(settings),
      address_(std::move(database)),
      metrics_(metrics),
      on_message_(std::move(on_message)),
      say_(std::move(say)),
      thread_([this] { run(); }) {}

BridgeReader::~BridgeReader() {
    stopping_.store(true);
    wake_.wake();
    thread_.join();
}

void BridgeReader::run() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    ::pthread_setname_np(::pthread_self(), "bridge-reader");
    UniqueFd lock;
    std::unique_ptr<Database> database;
    Duration retry = retry_first;
    while (!stopping_.load()) {
        if (!lock) {
            lock = try_lock_file(settings_.data_dir + "/bridge-reader.lock");
            if (!lock) {
                wake_.wait(lock_every);
                continue;
            }
        }
        if (!database || database->broken()) {
            database.reset();
            if (auto opened = open_database(address_)) {
                database = std::move(*opened);
            }
        }
        if (database && read_once(*database)) {
            retry = retry_first;
            continue;
        }
        wake_.wait(retry);
        retry = std::min<Duration>(retry * 2, retry_longest);
    }
}

bool BridgeReader::read_once(Database& database) {
    const std::string base = "http://127.0.0.1:" + std::to_string(settings_.bridge_port);
    const std::string proof = "Authorization: Bearer " + settings_.bridge_secret;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait_for_events).count();
    // Without `after`: behind what was acknowledged last, by whomever.
    const HttpReply reply = http_call(
        {.method = "GET",
         .url = base + "/v1/events?limit=" + std::to_string(events_at_once) + "&wait=" + std::to_string(seconds),
         .headers = {proof},
         .cancel = &stopping_});
    if (reply.status != 200) {
        if (reply.status == 401) {
            complain("it does not know our secret", "see that BAILEYS_PORT is our bridge's and BAILEYS_SECRET its own");
        }
        return false;  // A bridge that is away is the supervisor's business, and said there.
    }
    auto events = read_bridge_events(reply.body, wall_ms());
    if (!events) {
        complain(events.error().detail, "see that BAILEYS_PORT is our bridge's");
        return false;
    }
    if (!events->facts.empty() && !store(database, events->facts)) {
        return false;
    }
    if (events->messages) {
        on_message_();
    }
    complaint_.clear();
    if (events->next <= events->before) {
        return true;  // Nothing came while we waited.
    }
    const HttpReply acknowledged = http_call({.method = "POST",
                                              .url = base + "/v1/events/ack",
                                              .headers = {proof, "Content-Type: application/json"},
                                              .body = "{\"upto\":" + std::to_string(events->next) + "}",
                                              .cancel = &stopping_});
    if (acknowledged.status != 200) {
        return false;
    }
    metrics_.received += events->received;
    for (const Unanswered why : events->unanswered) {
        metrics_.count(why);
    }
    if (!settings_.whatsapp_answers) {
        metrics_.unanswered[static_cast<std::size_t>(Unanswered::answers_off)] +=
            events->received - events->unanswered.size();
    }
    return true;
}

bool BridgeReader::store(Database& database, std::span<const Fact> facts) {
    const auto stored = apply_facts(database, facts);
    if (stored) {
        return true;
    }
    if (stored.error().code != Errc::bad_message) {
        complain(stored.error().detail, "the events wait with the bridge until the database answers");
        return false;
    }
    // One of them can never be stored: the others are, and that one is said.
    for (const Fact& fact : facts) {
        const auto one = apply_facts(database, {&fact, 1});
        if (!one && one.error().code != Errc::bad_message) {
            return false;
        }
        if (!one) {
            say_(log_line("bridge_event_refused", {{"kind", kind_of(fact)}, {"cause", one.error().detail}}));
        }
    }
    return true;
}

void BridgeReader::complain(const std::string& cause, std::string_view remedy) {
    if (complaint_ != cause) {
        complaint_ = cause;
        say_(log_line("bridge_not_read", {{"cause", cause}, {"remedy", remedy}}));
    }
}

}  // namespace agentlocator
