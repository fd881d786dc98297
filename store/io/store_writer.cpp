#include "store/io/store_writer.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

#include "common/crash_point.hpp"
#include "common/io/wall_clock.hpp"
#include "common/log_line.hpp"
#include "store/apply.hpp"
#include "store/migrations.hpp"
#include "store/spool_record.hpp"

namespace agentlocator {
namespace {

// Signals are the business of the thread that has the signalfd.
void block_signals() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

std::string_view to_string(DatabaseState state) {
    switch (state) {
        case DatabaseState::starting:
            return "starting";
        case DatabaseState::ok:
            return "ok";
        case DatabaseState::lost:
            return "lost";
        case DatabaseState::refused:
            return "refused";
    }
    return "lost";
}

StoreWriter::StoreWriter(StoreWriterParts parts)
    : parts_(std::move(parts)),
      spool_(parts_.spool_folder, parts_.process, parts_.limits),
      spool_thread_([this] { run_spool(); }),
      database_thread_([this] { run_database(); }) {}

StoreWriter::~StoreWriter() {
    stopping_.store(true);
    told_.wake();
    spool_thread_.join();
    database_thread_.join();
}

void StoreWriter::tell(Fact fact, StoreNewsBox* box, std::uint64_t receipt) {
    counters_.told.fetch_add(1, std::memory_order_relaxed);
    Told told{std::move(fact), box, receipt};
    if (told_.push(told)) {
        return;
    }
    counters_.lost.fetch_add(1, std::memory_order_relaxed);
    if (box != nullptr) {
        static_cast<void>(box->push(StoreNews(StoreOutcome{receipt, false})));
    }
}

void StoreWriter::say(std::string line) {
    if (parts_.log != nullptr) {
        static_cast<void>(parts_.log->push(StoreNews(StoreLine{std::move(line)})));
    }
}

// --- spool thread

void StoreWriter::run_spool() {
    block_signals();
    ::pthread_setname_np(::pthread_self(), "store-spool");
    for (;;) {
        const bool last = stopping_.load();
        auto batch = told_.take();
        if (!batch.empty()) {
            spool_batch(std::move(batch));
            continue;
        }
        if (unsynced_ && Clock::now() >= synced_at_ + sync_every) {
            static_cast<void>(make_durable({}, true));
        }
        if (last) {
            break;
        }
        told_.wait(sync_every);
    }
    const std::lock_guard lock(mutex_);
    spool_done_ = true;
    ++changes_;
    changed_.notify_one();
}

void StoreWriter::spool_batch(std::vector<Told> batch) {
    std::string records;
    bool somebody_waits = false;
    for (const Told& told : batch) {
        append_record(records, to_json(told.fact));
        somebody_waits = somebody_waits || told.box != nullptr;
    }
    auto stored = make_durable(records, somebody_waits);
    if (!stored && stored.error().code == Errc::io) {
        stored = make_durable(records, somebody_waits);  // Once more, in a new file: the old one may be the problem.
    }
    if (!stored) {
        counters_.lost.fetch_add(batch.size(), std::memory_order_relaxed);
    }
    if (!stored && !spool_failing_) {
        say(log_line("spool_failed", {{"cause", stored.error().detail},
                                      {"remedy", "make room in the data folder, or bring the database back"}}));
    } else if (stored && spool_failing_) {
        say(log_line("spool_recovered", {{"lost", counters_.lost.load()}}));
    }
    spool_failing_ = !stored;
    answer(batch, stored.has_value());
}

Result<void> StoreWriter::make_durable(const std::string& records, bool sync_now) {
    SegmentPtr segment;
    {
        const std::lock_guard lock(mutex_);
        if (!records.empty()) {
            if (auto written = spool_.write(records); !written) {
                if (written.error().code == Errc::io) {
                    spool_.abandon_current();
                }
                return written;
            }
        }
        segment = spool_.unsynced();
        counters_.spool_bytes.store(spool_.bytes_waiting(), std::memory_order_relaxed);
        ++changes_;
        changed_.notify_one();
    }
    CRASH_POINT(spool_written);
    unsynced_ = true;
    if (sync_now || Clock::now() >= synced_at_ + sync_every) {
        // Without the lock: the database thread goes on meanwhile. The file stays open, `segment` holds it.
        if (segment && ::fdatasync(segment->fd.get()) != 0) {
            const std::string why = std::strerror(errno);
            const std::lock_guard lock(mutex_);
            spool_.abandon_current();
            return error(Errc::io, "fdatasync: " + why);
        }
        synced_at_ = Clock::now();
        unsynced_ = false;
    }
    CRASH_POINT(spool_synced);
    return {};
}

void StoreWriter::answer(const std::vector<Told>& batch, bool stored) {
    for (const Told& told : batch) {
        if (told.box != nullptr) {
            static_cast<void>(told.box->push(StoreNews(StoreOutcome{told.receipt, stored})));
        }
    }
}

// --- database thread

void StoreWriter::run_database() {
    block_signals();
    ::pthread_setname_np(::pthread_self(), "store-database");
    std::optional<TimePoint> give_up;
    for (;;) {
        Result<bool> applied = false;
        if (auto connected = connect(); !connected) {
            applied = connected.error();
        } else {
            applied = apply_some();
        }
        if (!applied) {
            on_database_fault(applied.error());
        } else {
            on_database_well();
        }
        if (stopping_.load() && !give_up) {
            give_up = Clock::now() + last_wish;
        }
        const bool idle = applied && !*applied;
        if (give_up && (Clock::now() >= *give_up || idle)) {
            const std::lock_guard lock(mutex_);
            if (Clock::now() >= *give_up || (spool_done_ && spool_.oldest_waiting() == nullptr)) {
                return;
            }
        }
        if (!applied) {
            sleep_database(retry_);
            retry_ = std::min(2 * retry_, retry_longest);
        } else if (idle) {
            sleep_database(orphans_every);
        }
    }
}

bool StoreWriter::sleep_database(Duration most) {
    std::unique_lock lock(mutex_);
    if (stopping_.load()) {
        changed_.wait_for(lock, std::chrono::milliseconds(10));
        return false;
    }
    const std::uint64_t seen = changes_;
    const bool faulty = database_ == nullptr || faults_in_a_row_ > 0;
    if (faulty || spool_.oldest_waiting() == nullptr) {
        // A new fact ends the wait only when the database can take it.
        changed_.wait_for(lock, most, [&] { return stopping_.load() || (!faulty && changes_ != seen); });
    }
    return !stopping_.load();
}

Result<void> StoreWriter::connect() {
    if (database_ && !database_->broken()) {
        return {};
    }
    database_.reset();
    auto opened = open_database(parts_.database, parts_.patience);
    if (!opened) {
        return opened.error();
    }
    if (auto migrated = migrate(**opened, wall_ms()); !migrated) {
        return migrated;
    }
    database_ = std::move(*opened);
    return {};
}

Result<bool> StoreWriter::apply_some() {
    SegmentPtr segment;
    std::uint64_t end = 0;
    {
        const std::lock_guard lock(mutex_);
        if (Clock::now() >= orphans_at_) {
            orphans_at_ = Clock::now() + orphans_every;
            if (const std::size_t adopted = spool_.adopt_orphans(); adopted > 0) {
                say(log_line("spool_adopted", {{"segments", adopted}}));
            }
        }
        segment = spool_.oldest_waiting();
        if (!segment) {
            return false;
        }
        end = segment->written;
    }
    const auto bytes = read_segment(*segment, segment->applied, end);
    if (!bytes) {
        // A segment that cannot be read must not stand in front of the others for ever; the file stays for a person.
        const std::lock_guard lock(mutex_);
        segment->sealed = true;
        spool_.forget(segment);
        say(log_line("spool_unreadable", {{"cause", bytes.error().detail}}));
        return true;
    }
    const SpoolRecords records = read_records(*bytes);
    if (records.damaged_bytes > 0 || (records.torn_bytes > 0 && !segment->adopted)) {
        say(log_line("spool_damaged", {{"file", segment->path},
                                       {"bytes", records.damaged_bytes + records.torn_bytes},
                                       {"remedy", "check the disk; the records around it were kept"}}));
    }
    if (auto applied = apply_records(records.bodies); !applied) {
        return applied.error();
    }
    const std::lock_guard lock(mutex_);
    spool_.on_applied(segment, end);
    counters_.spool_bytes.store(spool_.bytes_waiting(), std::memory_order_relaxed);
    return true;
}

Result<void> StoreWriter::apply_records(const std::vector<std::string_view>& bodies) {
    std::vector<Fact> facts;
    const auto flush = [&]() -> Result<void> {
        auto applied = apply_facts(*database_, facts);
        if (!applied && applied.error().code == Errc::bad_message) {
            applied = apply_one_by_one(facts);
        }
        CRASH_POINT(store_applied);
        if (applied) {
            const auto told = [&]<class Kind>(const Kind&) {
                return std::any_of(facts.begin(), facts.end(),
                                   [](const Fact& fact) { return std::holds_alternative<Kind>(fact); });
            };
            if (parts_.on_message_out && told(MessageOutFact{})) {
                parts_.on_message_out();
            }
            if (parts_.on_message_in && told(MessageInFact{})) {
                parts_.on_message_in();
            }
            counters_.applied.fetch_add(facts.size(), std::memory_order_relaxed);
            facts.clear();
        }
        return applied;
    };
    for (const std::string_view body : bodies) {
        auto fact = fact_from_json(body);
        if (!fact) {
            if (auto kept = set_aside(body, fact.error().detail); !kept) {
                return kept;
            }
            continue;
        }
        facts.push_back(std::move(*fact));
        if (facts.size() == applied_at_once_max) {
            if (auto applied = flush(); !applied) {
                return applied;
            }
        }
    }
    return facts.empty() ? Result<void>() : flush();
}

Result<void> StoreWriter::apply_one_by_one(std::span<const Fact> facts) {
    for (const Fact& fact : facts) {
        const auto applied = apply_facts(*database_, {&fact, 1});
        if (applied) {
            continue;
        }
        if (applied.error().code != Errc::bad_message) {
            return applied;
        }
        if (auto kept = set_aside(to_json(fact), applied.error().detail); !kept) {
            return kept;
        }
    }
    return {};
}

Result<void> StoreWriter::set_aside(std::string_view body, const std::string& why) {
    const std::string path = spool_.folder() + "/rejected.jsonl";
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR));
    const std::string line = std::string(body) + "\n";
    const bool kept = fd && ::write(fd.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
                      ::fdatasync(fd.get()) == 0;
    if (!kept) {
        return error(Errc::io, path + ": " + std::strerror(errno));
    }
    counters_.rejected.fetch_add(1, std::memory_order_relaxed);
    say(log_line("fact_rejected", {{"cause", why}, {"remedy", "it is kept in " + path}}));
    return {};
}

void StoreWriter::on_database_fault(const Error& fault) {
    counters_.state.store(fault.code == Errc::refused ? DatabaseState::refused : DatabaseState::lost,
                          std::memory_order_relaxed);
    if (faults_in_a_row_++ == 0) {
        say(log_line("database_lost",
                     {{"database", parts_.database.shown()},
                      {"cause", fault.detail},
                      {"remedy", "calls go on and facts wait in the spool; bring the database back"}}));
    }
}

void StoreWriter::on_database_well() {
    if (faults_in_a_row_ > 0) {
        say(log_line("database_back", {{"database", parts_.database.shown()}, {"attempts", faults_in_a_row_}}));
    }
    faults_in_a_row_ = 0;
    retry_ = retry_first;
    counters_.state.store(DatabaseState::ok, std::memory_order_relaxed);
}

}  // namespace agentlocator
