#include "worker/api/io/answer_thread.hpp"

#include <pthread.h>
#include <sys/epoll.h>

#include <algorithm>
#include <csignal>

#include "common/io/wall_clock.hpp"
#include "common/log_line.hpp"
#include "store/business_settings.hpp"
#include "worker/agent/io/service_chains.hpp"
#include "worker/agent/io/system_host.hpp"
#include "worker/api/answer_facts.hpp"

namespace agentlocator {

AnswerThread::AnswerThread(const Settings& settings, AnswerThreadParts parts)
    : settings_(settings), parts_(std::move(parts)), thread_([this] { run(); }) {}

AnswerThread::~AnswerThread() {
    stopping_.store(true);
    wake_.wake();
    thread_.join();
}

void AnswerThread::run() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    ::pthread_setname_np(::pthread_self(), "answers");
    EventLoop loop;
    SystemHost host([this](std::string_view line) { parts_.say(std::string(line)); });
    FaultLines start_faults;
    // The chains are told about by the agent thread, which makes the same ones.
    ServiceChains chains(loop, settings_, {}, [&](const ProviderError& fault) {
        if (const std::string line = start_faults.line(fault, Clock::now()); !line.empty()) {
            host.line(line);
        }
    });
    MemoryRecordStore records;  // The text agent hands its facts over with its answer.
    NoCallControl control;
    AgentMetrics metrics;  // Those of calls; of a written answer nobody waits on the line.
    AgentServices services{.settings = settings_.agent,
                           .dialogue = parts_.files.dialogue,
                           .host = host,
                           .records = records,
                           .control = control,
                           .stt = {},
                           .llm = chains.llm(),
                           .tts = {},
                           .prompt = parts_.files.prompt,
                           .metrics = metrics};
    std::list<Running> running;
    FunctionSink woken([](std::uint32_t) {});  // Waking is all; work() clears it.
    loop.add(wake_.fd(), EPOLLIN, woken);
    while (!stopping_.load()) {
        static_cast<void>(wake_.take());
        work(services, running);
        Duration wait = look_every;
        for (const Running& one : running) {
            if (const auto due = one.agent->deadline()) {
                wait = std::clamp<Duration>(*due - Clock::now(), Duration::zero(), wait);
            }
        }
        loop.run_once(wait);
    }
    loop.remove(wake_.fd(), woken);
}

Database* AnswerThread::database() {
    if (!database_ || database_->broken()) {
        database_.reset();
        if (auto opened = open_database(parts_.database)) {
            database_ = std::move(*opened);
        }
    }
    return database_.get();
}

void AnswerThread::work(AgentServices& services, std::list<Running>& running) {
    do {
        for (auto one = running.begin(); one != running.end();) {
            one->agent->run(Clock::now());
            if (one->agent->state() == TextAgent::State::running) {
                ++one;
                continue;
            }
            if (Database* const open = database()) {  // Else the lease runs out, and somebody answers it then.
                settle(*open, *one);
            }
            one = running.erase(one);
        }
    } while (!stopping_.load() && take_more(services, running));
}

// False: there is nothing to be taken, or no room.
bool AnswerThread::take_more(AgentServices& services, std::list<Running>& running) {
    Database* const open = running.size() < answers_at_once ? database() : nullptr;
    if (open == nullptr) {
        return false;
    }
    const std::int64_t now = wall_ms();
    const auto due = has_due_inbox(*open, now);
    if (!due || !*due) {
        return false;
    }
    const auto jobs = lease_inbox(*open, parts_.owner, now, now + std::chrono::milliseconds(lease).count(),
                                  static_cast<std::int64_t>(answers_at_once - running.size()));
    if (!jobs) {
        return false;
    }
    for (const InboxJob& job : *jobs) {
        const auto person = load_person(*open, job);
        if (!person) {
            static_cast<void>(postpone_inbox(*open, job, parts_.owner, now + answer_pause_ms(job.attempts)));
            continue;
        }
        const auto own = business_values(*open, job.business, "whatsapp");
        if (!own) {
            static_cast<void>(postpone_inbox(*open, job, parts_.owner, now + answer_pause_ms(job.attempts)));
            continue;
        }
        running.push_back({job, std::make_unique<TextAgent>(
                                    services, question_of(job, *person), [this] { wake_.wake(); },
                                    make_persona(services.settings, services.prompt, *own))});
    }
    return !jobs->empty();
}

void AnswerThread::settle(Database& database, const Running& one) {
    const InboxJob& job = one.job;
    const std::int64_t now = wall_ms();
    if (one.agent->state() == TextAgent::State::failed) {
        static_cast<void>(postpone_inbox(database, job, parts_.owner, now + answer_pause_ms(job.attempts)));
        return;
    }
    const TextAnswer& answer = one.agent->answer();
    const auto stored = store_answer(database, job, parts_.owner, facts_of_answer(job, answer, now), answer.state, now);
    if (!stored) {
        parts_.say(log_line("answer_not_stored", {{"message", job.message_id}, {"cause", stored.error().detail}}));
        static_cast<void>(postpone_inbox(database, job, parts_.owner, now + answer_pause_ms(job.attempts)));
    } else if (*stored) {
        parts_.on_answer();
    }
}

}  // namespace agentlocator
