// What the server tells the store, and how answers that acknowledge something wait for it.
#include "common/io/wall_clock.hpp"
#include "worker/api/api_reply.hpp"
#include "worker/base_url.hpp"
#include "worker/io/server.hpp"
#include "worker/router.hpp"

namespace agentlocator {
namespace {

// A webhook's answer waits for one fdatasync. A disk that takes longer than this is failing: Twilio gives us 15 s.
constexpr Duration stored_within = std::chrono::seconds(5);

}  // namespace

void Server::tell_store(RouteResult& result, HttpPeer& peer) {
    if (store_ == nullptr || result.facts.empty()) {
        return;
    }
    auto* const answer = std::get_if<HttpResponse>(&result.answer);
    const bool waits = result.unless_stored && answer != nullptr;
    const std::uint64_t ticket = waits ? next_ticket_++ : 0;
    if (waits) {
        held_.emplace(ticket, Held{.peer = &peer,
                                   .stored = std::move(*answer),
                                   .unless_stored = std::move(*result.unless_stored),
                                   .facts = result.facts.size(),
                                   .deadline = Clock::now() + stored_within});
        result.answer = AnswerLater{ticket};
    }
    for (Fact& fact : result.facts) {
        if (const auto* message = std::get_if<MessageInFact>(&fact)) {
            ++slab_.messages.received;
            if (message->answer == 0 || !settings_.whatsapp_answers) {
                slab_.messages.count(message->answer == 0 ? Unanswered::wordless : Unanswered::answers_off);
            }
        }
        store_->tell(std::move(fact), waits ? store_news_ : nullptr, ticket);
    }
}

// The slot's clock is the steady one: what it says is turned into wall time by how long ago it was.
void Server::tell_store(const CallState& call, bool ended) {
    if (call.call_sid.empty()) {
        return;
    }
    const std::int64_t now = wall_ms();
    const std::int64_t steady =
        std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
    const std::int64_t opened = now - (steady - call.opened_ns) / 1'000'000;
    CallFact fact{.call_sid = std::string(call.call_sid.view()),
                  .status = ended ? "ended" : "in-progress",
                  .stream_sid = std::string(call.stream_sid.view()),
                  .mode = std::string(to_string(call.mode)),
                  .started_at = opened,
                  .stream_started_at = opened,
                  .stream_rank = stream_rank({ended ? call.fate : StreamFate::open, call.resumes})};
    if (ended) {
        fact.end_reason = "close_" + std::to_string(call.close_code);
        fact.ended_at = now;
        fact.frames_in = static_cast<std::int64_t>(call.rx);
        fact.frames_out = static_cast<std::int64_t>(call.tx);
    }
    store_->tell(std::move(fact));
}

void Server::on_store_news() {
    for (const StoreNews& news : store_news_->take()) {
        if (const auto* outcome = std::get_if<StoreOutcome>(&news)) {
            settle(outcome->receipt, outcome->stored);
        } else {
            log_.line(std::get<StoreLine>(news).text);
        }
    }
}

void Server::settle(std::uint64_t ticket, bool stored) {
    const auto found = held_.find(ticket);
    if (found == held_.end()) {
        return;  // The client hung up, or had its answer.
    }
    if (stored && --found->second.facts > 0) {
        return;
    }
    Held held = std::move(found->second);
    held_.erase(found);  // First: completing may end the peer, which looks here.
    held.peer->complete(std::move(stored ? held.stored : held.unless_stored));
}

void Server::give_up_waiting(TimePoint now) {
    while (!held_.empty() && now >= held_.begin()->second.deadline) {  // Tickets rise, and so do deadlines.
        settle(held_.begin()->first, false);
    }
}

// Nothing: the request is not for /api. The retired routes below /api are the router's, they ask for no token.
std::optional<RouteResult> Server::ask_api(const HttpRequest& request, HttpPeer& peer) {
    if (api_ == nullptr || request.target.find("api") == std::string::npos) {
        return std::nullopt;
    }
    const auto base = parse_base_url(settings_.public_base_url);
    std::string path = normal_path(request.target, base ? base->prefix : std::string());
    if (!path.starts_with(api_prefix) || is_routed(path)) {
        return std::nullopt;
    }
    if (auto answered = ask_payments(request, path, peer)) {
        return answered;
    }
    if (auto refusal = api_gate_.refuse(request, settings_, peer.remote_address(), Clock::now())) {
        return refusal;
    }
    const std::uint64_t ticket = next_ticket_++;
    if (!api_->ask({.ticket = ticket, .request = request, .path = std::move(path)})) {
        return RouteResult{.answer = api_error(503, "too many requests wait"), .log = {}, .refused = true};
    }
    asked_.emplace(ticket, &peer);
    return RouteResult{.answer = AnswerLater{ticket}};
}

// Which stream this call had last, another host or what was here before may have told the store. Nothing: it cannot be
// asked.
std::optional<RouteResult> Server::ask_stream(const HttpRequest& request, HttpPeer& peer) {
    if (api_ == nullptr) {
        return std::nullopt;
    }
    const std::uint64_t ticket = next_ticket_++;
    if (!api_->ask({.ticket = ticket,
                    .request = request,
                    .path = {},
                    .stream_end = StreamEnd{slab_.instance.data(), peer.remote_address()}})) {
        return std::nullopt;
    }
    asked_.emplace(ticket, &peer);
    return RouteResult{.answer = AnswerLater{ticket}};
}

// Nothing: the request is not for payments. Providers and payers know no token; what they say is proved later.
std::optional<RouteResult> Server::ask_payments(const HttpRequest& request, std::string& path, HttpPeer& peer) {
    const PaymentAccess access = payments_ == nullptr ? PaymentAccess::none : payment_access(path);
    if (access == PaymentAccess::none) {
        return std::nullopt;
    }
    const TimePoint now = Clock::now();
    if (auto refusal = access == PaymentAccess::token
                           ? api_gate_.refuse(request, settings_, peer.remote_address(), now)
                           : api_gate_.refuse_flood(request, settings_, peer.remote_address(), now)) {
        return refusal;
    }
    const std::uint64_t ticket = next_ticket_++;
    if (!payments_->ask({.ticket = ticket, .request = request, .path = std::move(path)})) {
        return RouteResult{.answer = api_error(503, "too many requests wait"), .log = {}, .refused = true};
    }
    asked_.emplace(ticket, &peer);
    return RouteResult{.answer = AnswerLater{ticket}};
}

void Server::on_api_results(Mailbox<ApiResult>& results) {
    for (ApiResult& answered : results.take()) {
        const auto found = asked_.find(answered.ticket);
        if (found == asked_.end()) {
            continue;  // The client hung up.
        }
        HttpPeer& peer = *found->second;
        asked_.erase(found);
        for (const std::string& line : answered.result.log) {
            log_.line(line);
        }
        tell_store(answered.result, peer);
        if (auto* const response = std::get_if<HttpResponse>(&answered.result.answer)) {
            peer.complete(std::move(*response));
        }
    }
}

StoreMetrics Server::store_metrics() const {
    if (store_ == nullptr) {
        return {};
    }
    const StoreCounters& counters = store_->counters();
    const auto get = [](const auto& value) { return value.load(std::memory_order_relaxed); };
    return {.database = to_string(get(counters.state)),
            .told = get(counters.told),
            .applied = get(counters.applied),
            .rejected = get(counters.rejected),
            .lost = get(counters.lost),
            .spool_bytes = get(counters.spool_bytes)};
}

}  // namespace agentlocator
