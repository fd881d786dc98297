#include "worker/api/io/outbox_thread.hpp"

#include <pthread.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "common/io/life_lock.hpp"
#include "common/io/wall_clock.hpp"
#include "common/log_line.hpp"
#include "store/apply.hpp"
#include "store/inbox.hpp"
#include "store/phone.hpp"
#include "store/send_limits.hpp"
#include "worker/api/io/http_call.hpp"

namespace agentlocator {
namespace {

constexpr Duration bridge_look_max = std::chrono::milliseconds(500);
constexpr std::int64_t rate_pause_ms = 1000;

std::string first_line(const std::string& text) {
    return text.substr(0, 200);
}

}  // namespace

OutboxThread::OutboxThread(Settings settings, DatabaseAddress database, std::string owner,
                           std::function<void(std::string)> say)
    : settings_(std::move(settings)),
      address_(std::move(database)),
      owner_(std::move(owner)),
      say_(std::move(say)),
      thread_([this] { run(); }) {}

OutboxThread::~OutboxThread() {
    stopping_.store(true);
    wake_.wake();
    thread_.join();
}

void OutboxThread::run() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    ::pthread_setname_np(::pthread_self(), "outbox");
    std::unique_ptr<Database> database;
    TimePoint prune_at = Clock::now() + prune_every;
    while (!stopping_.load()) {
        wake_.wait(look_every);
        static_cast<void>(wake_.take());
        if (!database || database->broken()) {
            database.reset();
            if (auto opened = open_database(address_)) {
                database = std::move(*opened);
            }
        }
        if (database) {
            // What a dead process of this machine had in hand need not wait for the clock.
            LifeLock::for_each_dead(settings_.data_dir + "/leases", [&](const std::string& owner) {
                return free_leases(*database, owner).has_value();
            });
            if (Clock::now() >= prune_at) {
                static_cast<void>(prune_send_limits(*database, wall_ms()));
                prune_at = Clock::now() + prune_every;
            }
            work(*database);
        }
    }
}

void OutboxThread::work(Database& database) {
    while (!stopping_.load()) {
        const std::int64_t now = wall_ms();
        const auto due = has_due_outbox(database, now);
        if (!due || !*due) {
            return;
        }
        // While nobody can send nothing is touched, so that all of it goes at once when somebody can again.
        const ProvidersNow can_send = providers();
        if (!can_send.baileys && !can_send.twilio) {
            return;
        }
        const auto jobs =
            lease_outbox(database, owner_, now, now + std::chrono::milliseconds(lease).count(), jobs_at_once);
        if (!jobs || jobs->empty()) {
            return;
        }
        for (const OutboxJob& job : *jobs) {
            deliver(database, job, can_send);
        }
    }
}

void OutboxThread::deliver(Database& database, const OutboxJob& job, ProvidersNow can_send) {
    const std::int64_t now = wall_ms();
    const auto later = [&](std::int64_t at, const std::string& why, Attempt attempt = Attempt::made) {
        static_cast<void>(postpone_outbox(database, job.id, owner_, at, why, attempt));
    };
    const auto note = [&](const std::string& status, std::string_view provider, const std::string& provider_id,
                          const std::string& why) {
        static_cast<void>(apply_fact(database, MessageStatusFact{.id = job.id,
                                                                 .provider = std::string(provider),
                                                                 .provider_id = provider_id,
                                                                 .status = status,
                                                                 .error = why,
                                                                 .at = wall_ms()}));
    };
    const auto provider = choose_provider(job, can_send, now);
    if (!provider) {
        return later(now + nobody_pause_ms(now - job.asked_at), "no provider can send now", Attempt::not_made);
    }
    // The bridge has limits of its own (BAILEYS_SENDS_PER_MINUTE), which all workers share.
    if (*provider == WhatsAppProvider::twilio) {
        const std::string& from = job.from.empty() ? settings_.twilio_whatsapp_number : job.from;
        const auto allowed = take_send_limits(
            database,
            {{"twilio/person/" + job.to, person_every.count(), person_at_once},
             {"twilio/number/" + normal_phone(from).value_or(from), number_every.count(), number_at_once}},
            now);
        if (!allowed || !*allowed) {
            return later(now + rate_pause_ms, "rate limit", Attempt::not_made);
        }
    }
    // Before it is handed over: whoever goes on after us must know where it may be already.
    if (!note_outbox_provider(database, job.id, owner_, to_string(*provider))) {
        return;
    }
    const DeliveryOutcome outcome = send(database, job, *provider);
    switch (outcome.kind) {
        case DeliveryOutcome::Kind::accepted:
            return note("accepted", to_string(*provider), outcome.provider_id, {});
        case DeliveryOutcome::Kind::refused:
            say_(log_line("message_refused",
                          {{"id", job.id}, {"provider", to_string(*provider)}, {"cause", first_line(outcome.error)}}));
            return note("failed", to_string(*provider), {}, outcome.error);
        case DeliveryOutcome::Kind::again:
        case DeliveryOutcome::Kind::unknown:
            break;
    }
    if (job.attempts >= delivery_attempts_max) {
        say_(log_line("message_given_up",
                      {{"id", job.id}, {"attempts", job.attempts}, {"cause", first_line(outcome.error)}}));
        return note("failed", to_string(*provider), {}, outcome.error);
    }
    if (outcome.kind == DeliveryOutcome::Kind::again && *provider == WhatsAppProvider::twilio) {
        static_cast<void>(
            note_outbox_provider(database, job.id, owner_, ""));  // Certainly not taken: free to go elsewhere.
    }
    later(wall_ms() + delivery_pause_ms(job.attempts), outcome.error);
}

ProvidersNow OutboxThread::providers() const {
    ProvidersNow now{.baileys = false,
                     .twilio = !settings_.twilio_account_sid.empty() && !settings_.twilio_auth_token.empty() &&
                               !settings_.twilio_whatsapp_number.empty()};
    if (settings_.bridge_enabled && !settings_.bridge_secret.empty()) {
        const HttpReply reply =
            http_call({.method = "GET",
                       .url = "http://127.0.0.1:" + std::to_string(settings_.bridge_port) + "/v1/session",
                       .headers = {"Authorization: Bearer " + settings_.bridge_secret},
                       .most = bridge_look_max});
        const auto session = nlohmann::json::parse(reply.body, nullptr, false);
        now.baileys = reply.status == 200 && session.is_object() && session.value("can_send", false);
    }
    return now;
}

DeliveryOutcome OutboxThread::send(Database& database, const OutboxJob& job, WhatsAppProvider provider) const {
    return provider == WhatsAppProvider::baileys ? send_by_bridge(job) : send_by_twilio(database, job);
}

DeliveryOutcome OutboxThread::send_by_bridge(const OutboxJob& job) const {
    const HttpReply reply =
        http_call({.method = "POST",
                   .url = "http://127.0.0.1:" + std::to_string(settings_.bridge_port) + "/v1/messages",
                   .headers = {"Authorization: Bearer " + settings_.bridge_secret, "Content-Type: application/json",
                               "Idempotency-Key: " + job.id},
                   .body = bridge_body(job)});
    return read_bridge_answer(reply.status, reply.body);
}

DeliveryOutcome OutboxThread::send_by_twilio(Database& database, const OutboxJob& job) const {
    const std::string base =
        settings_.providers.twilio_api_url + "/2010-04-01/Accounts/" + settings_.twilio_account_sid + "/Messages.json";
    const std::string from = job.from.empty() ? settings_.twilio_whatsapp_number : job.from;
    WaitingHttpCall call{.method = "GET",
                         .url = base,
                         .user = settings_.twilio_account_sid,
                         .password = settings_.twilio_auth_token,
                         .ca_file = settings_.providers.ca_file};
    if (job.used == "twilio") {  // It may have it: look before sending again.
        call.url += "?PageSize=50&" + twilio_list_query(job, from);
        const HttpReply list = http_call(call);
        if (list.status != 200) {
            return {DeliveryOutcome::Kind::unknown, {}, "Twilio cannot say whether it has the message"};
        }
        for (const std::string& sid : candidates_in_twilio_list(list.body, job)) {
            const auto taken = is_provider_id_known(database, "twilio", sid);
            if (!taken) {
                return {DeliveryOutcome::Kind::unknown, {}, "the database cannot say whose message that is"};
            }
            if (!*taken) {
                return {DeliveryOutcome::Kind::accepted, sid, {}};
            }
        }
        call.url = base;
    }
    call.method = "POST";
    call.headers = {"Content-Type: application/x-www-form-urlencoded"};
    call.body = twilio_form(
        job, from, settings_.public_base_url.empty() ? "" : settings_.public_base_url + "/webhook/whatsapp/status");
    const HttpReply reply = http_call(call);
    return read_twilio_answer(reply.status, reply.body, reply.sent);
}

}  // namespace agentlocator
