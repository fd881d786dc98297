#include "worker/api/io/api_thread.hpp"

#include <pthread.h>
#include <sys/random.h>

#include <algorithm>
#include <csignal>
#include <exception>

#include "common/io/wall_clock.hpp"
#include "common/text.hpp"
#include "store/migrations.hpp"
#include "worker/api/api.hpp"
#include "worker/api/api_reply.hpp"
#include "worker/api/bridge_api.hpp"
#include "worker/api/io/http_call.hpp"
#include "worker/router.hpp"

namespace agentlocator {
namespace {

constexpr DatabasePatience patience{std::chrono::seconds(2), std::chrono::seconds(3)};  // A person waits for it.
constexpr Duration open_pause = std::chrono::seconds(2);  // A lost database is not asked for by every request.

std::string random_id() {
    unsigned char bytes[16];
    // 256 bytes and fewer are never refused (getentropy(3)).
    static_cast<void>(::getentropy(bytes, sizeof bytes));
    return "m" + hex(bytes, sizeof bytes);
}

}  // namespace

ApiThread::ApiThread(Settings settings, DatabaseAddress database)
    : settings_(std::move(settings)),
      address_(std::move(database)),
      thread_([this] { run(); }),
      bridge_thread_([this] { run_bridge(); }) {}

ApiThread::~ApiThread() {
    stopping_.store(true);
    questions_.wake();
    bridge_questions_.wake();
    thread_.join();
    bridge_thread_.join();
}

bool ApiThread::ask(ApiQuestion question) {
    return is_bridge_path(question.path) ? bridge_questions_.push(std::move(question))
                                         : questions_.push(std::move(question));
}

void ApiThread::run_bridge() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    ::pthread_setname_np(::pthread_self(), "api-bridge");
    while (!stopping_.load()) {
        const auto batch = bridge_questions_.take();
        for (const ApiQuestion& question : batch) {
            ApiResult result{question.ticket, {}};
            try {
                result.result = {.answer = answer_by_bridge(question)};
            } catch (const std::exception&) {
                result.result = {.answer = api_error(500, "internal error")};
            }
            static_cast<void>(results_.push(result));
        }
        if (batch.empty()) {
            bridge_questions_.wait(std::chrono::seconds(60));
        }
    }
}

HttpResponse ApiThread::answer_by_bridge(const ApiQuestion& question) const {
    auto asked = ask_bridge(question.request, question.path, settings_);
    if (auto* const known = std::get_if<HttpResponse>(&asked)) {
        return std::move(*known);
    }
    const auto& what = std::get<BridgeQuestion>(asked);
    const HttpReply reply =
        http_call({.method = what.method,
                   .url = "http://127.0.0.1:" + std::to_string(settings_.bridge_port) + what.target,
                   .headers = {"Authorization: Bearer " + settings_.bridge_secret, "Content-Type: application/json"},
                   .body = what.body,
                   .most = bridge_patience,
                   .cancel = &stopping_});
    return read_bridge_reply(question.path, settings_, reply.status, reply.body);
}

void ApiThread::run() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    ::pthread_setname_np(::pthread_self(), "api");
    while (!stopping_.load()) {
        auto batch = questions_.take();
        const bool none = batch.empty();
        for (ApiQuestion& question : batch) {
            if (question.stream_end) {
                stream_ends_.push_back({std::move(question), Clock::now()});
            }
        }
        std::erase_if(batch, [](const ApiQuestion& question) { return question.stream_end.has_value(); });
        for (const bool with_database : {false, true}) {
            for (const ApiQuestion& question : batch) {
                if (api_needs_database(question.request, question.path) == with_database) {
                    answer(question, with_database);
                }
            }
        }
        answer_stream_ends();
        if (none) {
            questions_.wait(stream_ends_.empty() ? std::chrono::seconds(60) : ask_again);
        }
    }
}

void ApiThread::answer_stream_ends() {
    std::erase_if(stream_ends_, [this](const Waiting& one) {
        static const BuildInfo no_build;  // Not part of this answer.
        const ApiQuestion& question = one.question;
        bool settled = true;
        const WebContext context{.settings = settings_,
                                 .build = no_build,
                                 .instance = question.stream_end->instance,
                                 .worker = {},
                                 .remote_address = question.stream_end->remote_address,
                                 .now = wall_ms() / 1000,
                                 .now_ms = wall_ms(),
                                 .last_stream =
                                     [&](std::string_view call_sid) {
                                         const auto last = last_stream(call_sid);
                                         settled = is_last_word(last, Clock::now() - one.asked_at);
                                         return last;
                                     },
                                 .problems = {},
                                 .metrics = {}};
        ApiResult result{question.ticket, route(question.request, context)};
        if (settled) {
            static_cast<void>(results_.push(result));
        }
        return settled;
    });
}

std::optional<LastStream> ApiThread::last_stream(std::string_view call_sid) {
    Database* const open = database();
    const auto found = open == nullptr ? Result<std::optional<LastStream>>(std::nullopt)
                                       : find_last_stream(*open, std::string(call_sid));
    return found ? *found : std::nullopt;
}

Database* ApiThread::database() {
    if (database_ && !database_->broken()) {
        return database_.get();
    }
    database_.reset();
    if (Clock::now() < open_again_) {
        return nullptr;
    }
    auto opened = open_database(address_, patience);
    // The first start makes the tables; whoever comes first does it, the others wait for the lock.
    if (!opened || !migrate(**opened, wall_ms())) {
        open_again_ = Clock::now() + open_pause;
        return nullptr;  // The store's writer says why, in the log.
    }
    database_ = std::move(*opened);
    return database_.get();
}

void ApiThread::answer(const ApiQuestion& question, bool with_database) {
    ApiResult result{question.ticket, {}};
    try {
        result.result = api_answer(question.request, question.path,
                                   {.settings = settings_,
                                    .now_ms = wall_ms(),
                                    .random_id = random_id(),
                                    .database = with_database ? database() : nullptr});
    } catch (const std::exception&) {  // Libraries throw (memory, JSON); a client never ends a worker.
        result.result = {.answer = api_error(500, "internal error")};
    }
    static_cast<void>(results_.push(result));  // Room for every question: twice as many as may be asked.
}

}  // namespace agentlocator
