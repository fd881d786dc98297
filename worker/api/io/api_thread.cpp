#include "worker/api/io/api_thread.hpp"

#include <pthread.h>
#include <sys/random.h>

#include <csignal>
#include <exception>

#include "common/io/wall_clock.hpp"
#include "common/text.hpp"
#include "store/migrations.hpp"
#include "worker/api/api.hpp"
#include "worker/api/api_reply.hpp"

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
    : settings_(std::move(settings)), address_(std::move(database)), thread_([this] { run(); }) {}

ApiThread::~ApiThread() {
    stopping_.store(true);
    questions_.wake();
    thread_.join();
}

void ApiThread::run() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    ::pthread_setname_np(::pthread_self(), "api");
    while (!stopping_.load()) {
        const auto batch = questions_.take();
        for (const bool with_database : {false, true}) {
            for (const ApiQuestion& question : batch) {
                if (api_needs_database(question.request, question.path) == with_database) {
                    answer(question, with_database);
                }
            }
        }
        if (batch.empty()) {
            questions_.wait(std::chrono::seconds(60));
        }
    }
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
