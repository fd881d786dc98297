#include "store/io/person_reader.hpp"

#include <pthread.h>

#include <csignal>

#include "common/io/wall_clock.hpp"

namespace agentlocator {
namespace {

constexpr Duration look_every = std::chrono::seconds(60);  // Only a bound: questions and the end wake it.

}  // namespace

PersonReader::PersonReader(DatabaseAddress database) : address_(std::move(database)), thread_([this] { run(); }) {}

PersonReader::~PersonReader() {
    stopping_.store(true);
    questions_.wake();
    thread_.join();
}

void PersonReader::run() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    ::pthread_setname_np(::pthread_self(), "people");
    while (!stopping_.load()) {
        questions_.wait(look_every);
        for (const Question& question : questions_.take()) {
            if (stopping_.load()) {
                return;
            }
            if (Clock::now() - question.asked_at > useful_for) {
                continue;
            }
            Database* const open = database();
            auto record = open == nullptr ? Result<PersonRecord>(PersonRecord{}) : read(*open, question);
            if (record) {  // Else the store's writer says in the log what is wrong.
                static_cast<void>(answers_.push({.id = question.id, .record = std::move(*record)}));
            }
        }
    }
}

Database* PersonReader::database() {
    if (!database_ || database_->broken()) {
        database_.reset();
        if (auto opened = open_database(address_)) {
            database_ = std::move(*opened);
        }
    }
    return database_.get();
}

Result<PersonRecord> PersonReader::read(Database& database, const Question& question) const {
    const auto business = business_of_number(database, "voice", question.called);
    if (!business) {
        return business.error();
    }
    return load_person(database, PersonQuery{.business = *business,
                                             .phone = question.phone,
                                             .now_ms = wall_ms(),
                                             .limits = call_limits,
                                             .but_call = question.call_sid});
}

}  // namespace agentlocator
