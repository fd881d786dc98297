#include "worker/payments/io/payment_thread.hpp"

#include <pthread.h>
#include <sys/random.h>

#include <csignal>
#include <exception>

#include "common/io/wall_clock.hpp"
#include "common/log_line.hpp"
#include "common/text.hpp"
#include "store/migrations.hpp"
#include "store/queries.hpp"
#include "worker/api/api_reply.hpp"

namespace agentlocator {
namespace {

constexpr DatabasePatience patience{std::chrono::seconds(2), std::chrono::seconds(3)};  // A person waits for it.
constexpr Duration open_pause = std::chrono::seconds(2);  // A lost database is not asked for by every request.
constexpr const char* lease_name = "payments";

std::string random_hex(std::size_t bytes) {
    unsigned char random[40];
    // 256 bytes and fewer are never refused (getentropy(3)).
    static_cast<void>(::getentropy(random, bytes));
    return hex(random, bytes);
}

}  // namespace

struct PaymentThreads::Desk {
    explicit Desk(const std::atomic<bool>& stop) : stopping(stop) {}
    bool first = false;
    Mailbox<Waiting> questions{questions_max};
    std::unique_ptr<Database> database{};
    TimePoint open_again{};
    const std::atomic<bool>& stopping;
    // Stopping gives a request up: at a provider's it is repeated under the same id, or looked up.
    PaymentWorld world{.send =
                           [this](const WaitingHttpCall& call) {
                               WaitingHttpCall bounded = call;
                               bounded.cancel = &stopping;
                               return http_call(bounded);
                           },
                       .now = [] { return Clock::now(); },
                       .unix_ms = [] { return wall_ms(); },
                       .nonce = [] { return random_hex(40); }};
    PayPalTokens tokens{};
    std::thread thread{};

    Database* open(const DatabaseAddress& address) {
        if (database && !database->broken()) {
            return database.get();
        }
        database.reset();
        if (Clock::now() < open_again) {
            return nullptr;
        }
        auto opened = open_database(address, patience);
        if (!opened || !migrate(**opened, wall_ms())) {
            open_again = Clock::now() + open_pause;
            return nullptr;  // The store's writer says why, in the log.
        }
        database = std::move(*opened);
        return database.get();
    }
};

PaymentThreads::PaymentThreads(Settings settings, DatabaseAddress database, std::string owner,
                               std::function<void(std::string)> say)
    : settings_(std::move(settings)), address_(std::move(database)), owner_(std::move(owner)), say_(std::move(say)) {
    const std::size_t wanted = settings_.payments.enabled ? threads : 1;  // Turned off, "501" needs no company.
    for (std::size_t i = 0; i < wanted; ++i) {
        desks_.push_back(std::make_unique<Desk>(stopping_));
        desks_.back()->first = i == 0;
    }
    for (auto& desk : desks_) {
        desk->thread = std::thread([this, &desk] { run(*desk); });
    }
}

PaymentThreads::~PaymentThreads() {
    stopping_.store(true);
    for (auto& desk : desks_) {
        desk->questions.wake();
    }
    for (auto& desk : desks_) {
        desk->thread.join();
    }
}

bool PaymentThreads::ask(ApiQuestion question) {
    Desk& desk = *desks_[question.ticket % desks_.size()];
    return desk.questions.push(Waiting{std::move(question), Clock::now()});
}

void PaymentThreads::run(Desk& desk) {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    ::pthread_setname_np(::pthread_self(), "payments");
    const bool looks = desk.first && settings_.payments.enabled;
    TimePoint look_at = Clock::now() + look_every;
    while (!stopping_.load()) {
        for (const Waiting& waiting : desk.questions.take()) {
            answer(desk, waiting);
        }
        if (Clock::now() >= look_at) {
            if (looks) {
                look_up_open(desk);
            }
            look_at = Clock::now() + look_every;
        }
        if (!stopping_.load() && desk.questions.size() == 0) {
            desk.questions.wait(std::max(Duration::zero(), look_at - Clock::now()));
        }
    }
}

void PaymentThreads::answer(Desk& desk, const Waiting& waiting) {
    ApiResult result{waiting.question.ticket, {}};
    if (Clock::now() - waiting.asked_at > stale_after) {
        result.result = {.answer = api_error(503, "too many requests wait")};
    } else {
        try {
            PaymentContext context{.settings = settings_,
                                   .world = desk.world,
                                   .tokens = desk.tokens,
                                   .database = settings_.payments.enabled ? desk.open(address_) : nullptr,
                                   .now_ms = wall_ms(),
                                   .random_id = "p" + random_hex(16)};
            result.result = payments_answer(waiting.question.request, waiting.question.path, context);
        } catch (const std::exception&) {  // Libraries throw (memory, JSON); a client never ends a worker.
            result.result = {.answer = api_error(500, "internal error")};
        }
    }
    static_cast<void>(results_.push(result));  // Room for every question: twice as many as may be asked.
}

void PaymentThreads::look_up_open(Desk& desk) {
    Database* database = desk.open(address_);
    const std::int64_t now = wall_ms();
    const auto until = now + std::chrono::milliseconds(look_every).count();
    if (database == nullptr) {
        return;
    }
    const auto leased = take_lease(*database, lease_name, owner_, now, until);
    if (!leased || !*leased) {
        return;
    }
    const auto open = take_open_payments(*database, now, looks_at_once);
    if (!open) {
        return;
    }
    for (const PaymentRow& payment : *open) {
        if (stopping_.load()) {
            return;
        }
        PaymentContext context{.settings = settings_,
                               .world = desk.world,
                               .tokens = desk.tokens,
                               .database = database,
                               .now_ms = wall_ms()};
        for (std::string& line : settle_payment(payment, context)) {
            say_(std::move(line));
        }
    }
}

}  // namespace agentlocator
