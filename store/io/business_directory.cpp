#include "store/io/business_directory.hpp"

#include <pthread.h>

#include <csignal>

#include "store/phone.hpp"

namespace agentlocator {

BusinessDirectory::BusinessDirectory(DatabaseAddress database, std::string channel)
    : address_(std::move(database)), channel_(std::move(channel)), copy_(std::make_shared<const Copy>()) {
    thread_ = std::thread([this] { run(); });
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, first_within, [this] { return looked_; });
}

BusinessDirectory::~BusinessDirectory() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

NamedValues BusinessDirectory::find(const std::string& number) const {
    std::shared_ptr<const Copy> copy;
    {
        const std::lock_guard lock(mutex_);
        copy = copy_;
    }
    const auto business = copy->business_of.find(normal_phone(number).value_or(number));
    if (business == copy->business_of.end()) {
        return {};
    }
    const auto values = copy->values_of.find(business->second);
    return values == copy->values_of.end() ? NamedValues() : values->second;
}

void BusinessDirectory::run() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    ::pthread_setname_np(::pthread_self(), "businesses");
    std::unique_ptr<Database> database;
    Row seen;
    for (;;) {
        look(database, seen);
        std::unique_lock lock(mutex_);
        looked_ = true;
        changed_.notify_all();
        if (changed_.wait_for(lock, look_every, [this] { return stopping_; })) {
            return;
        }
    }
}

void BusinessDirectory::look(std::unique_ptr<Database>& database, Row& seen) {
    if (!database || database->broken()) {
        database.reset();
        auto opened = open_database(address_);
        if (!opened) {
            return;  // The store's writer says why, in the log.
        }
        database = std::move(*opened);
    }
    // Versions are only ever added, so these numbers change with every change. No tables yet: nothing is set.
    const auto state = database->query(
        "SELECT (SELECT COUNT(*) FROM business_settings), (SELECT COUNT(*) FROM channels), "
        "(SELECT COALESCE(MAX(business_id), 0) FROM channels)");
    if (!state || state->empty() || (*state)[0] == seen) {
        return;
    }
    const auto numbers = database->query("SELECT identifier, business_id FROM channels WHERE kind = $1", {channel_});
    if (!numbers) {
        return;
    }
    auto copy = std::make_shared<Copy>();
    for (const Row& row : *numbers) {
        const std::int64_t business = integer(row[1]);
        copy->business_of.emplace(text(row[0]), business);
        if (copy->values_of.contains(business)) {
            continue;
        }
        auto values = business_values(*database, business, channel_);
        if (!values) {
            return;  // The whole copy or none.
        }
        copy->values_of.emplace(business, std::move(*values));
    }
    seen = (*state)[0];
    const std::lock_guard lock(mutex_);
    copy_ = std::move(copy);
}

}  // namespace agentlocator
