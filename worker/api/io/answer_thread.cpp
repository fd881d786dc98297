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
#include "worker/api/io/http_media.hpp"

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
    HttpMedia media(chains.client(), settings_);
    Tools tools{.services = services, .transcribers = chains.file_transcribers(), .media = media};
    std::list<Running> running;
    FunctionSink woken([](std::uint32_t) {});  // Waking is all; work() clears it.
    loop.add(wake_.fd(), EPOLLIN, woken);
    while (!stopping_.load()) {
        static_cast<void>(wake_.take());
        work(tools, running);
        Duration wait = look_every;
        for (const Running& one : running) {
            if (const auto due = one.agent ? one.agent->deadline() : one.note->deadline()) {
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

void AnswerThread::work(Tools& tools, std::list<Running>& running) {
    do {
        for (auto one = running.begin(); one != running.end();) {
            if (!is_over(tools, *one)) {
                ++one;
                continue;
            }
            if (Database* const open = database()) {  // Else the lease runs out, and somebody answers it then.
                settle(*open, *one);
            }
            one = running.erase(one);
        }
    } while (!stopping_.load() && take_more(tools, running));
}

bool AnswerThread::is_over(Tools& tools, Running& one) {
    const TimePoint now = Clock::now();
    if (one.note) {
        one.note->run(now);
        switch (one.note->state()) {
            case VoiceNote::State::running:
                return false;
            case VoiceNote::State::failed:
                return true;
            case VoiceNote::State::done:
                one.heard = one.note->text();
                break;
            case VoiceNote::State::impossible:
                parts_.say(log_line("voice_note_not_understood",
                                    {{"message", one.job.message_id},
                                     {"cause", one.note->problem()},
                                     {"detail", "the person is asked for text"},
                                     {"remedy", "a recogniser that takes files is openai or groq"}}));
                break;
        }
        one.note.reset();
        ++(one.heard.empty() ? parts_.metrics.notes_not_understood : parts_.metrics.notes_understood);
        ask_agent(tools, one);
    }
    one.agent->run(now);
    return one.agent->state() != TextAgent::State::running;
}

// A voice note is understood first; one that could not be had in several tries is no text.
void AnswerThread::begin(Tools& tools, Running& one) {
    VoiceNote::Wanted wanted = voice_note_of(one.job);
    const bool given_up = one.job.attempts > TextAgent::model_attempts_max;
    if (wanted.url.empty() || given_up) {
        parts_.metrics.notes_not_understood += wanted.url.empty() ? 0 : 1;
        return ask_agent(tools, one);
    }
    wanted.language = code_of(language_of(one.persona->settings.language));
    one.note = std::make_unique<VoiceNote>(
        tools.transcribers, tools.media, std::move(wanted), [this] { wake_.wake(); },
        [this, &services = tools.services](const ProviderError& fault) {
            if (const std::string line = services.faults.line(fault, Clock::now()); !line.empty()) {
                parts_.say(line);
            }
        },
        Clock::now());
}

void AnswerThread::ask_agent(Tools& tools, Running& one) {
    one.agent = std::make_unique<TextAgent>(
        tools.services, question_of(one.job, one.record, one.heard), [this] { wake_.wake(); }, one.persona);
}

// False: there is nothing to be taken, or no room.
bool AnswerThread::take_more(Tools& tools, std::list<Running>& running) {
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
        auto person = load_person(*open, job);
        const auto own = business_values(*open, job.business, "whatsapp");
        if (!person || !own) {
            postpone(*open, job);
            continue;
        }
        running.push_back({.job = job,
                           .record = std::move(*person),
                           .persona = make_persona(tools.services.settings, tools.services.prompt, *own),
                           .note = nullptr,
                           .heard = {},
                           .agent = nullptr});
        begin(tools, running.back());
    }
    return !jobs->empty();
}

void AnswerThread::postpone(Database& database, const InboxJob& job) {
    ++parts_.metrics.failed;
    static_cast<void>(postpone_inbox(database, job, parts_.owner, wall_ms() + answer_pause_ms(job.attempts)));
}

void AnswerThread::settle(Database& database, const Running& one) {
    const InboxJob& job = one.job;
    const std::int64_t now = wall_ms();
    if (!one.agent || one.agent->state() == TextAgent::State::failed) {
        return postpone(database, job);
    }
    const TextAnswer& answer = one.agent->answer();
    const auto stored =
        store_answer(database, job, parts_.owner, facts_of_answer(job, answer, now), answer.state, now, one.heard);
    if (!stored) {
        parts_.say(log_line("answer_not_stored", {{"message", job.message_id}, {"cause", stored.error().detail}}));
        postpone(database, job);
    } else if (*stored && answer.by) {
        parts_.metrics.count(*answer.by);
        parts_.metrics.answer.add(std::chrono::milliseconds(now - job.stored_at));
        parts_.on_answer();
    } else if (*stored) {
        parts_.metrics.count(Unanswered::asked_already);
    }
}

}  // namespace agentlocator
