#pragma once
// What every business has set for one channel, by the number that is called: a copy in memory, kept up to date by a
// thread of its own, so that whoever answers a call never waits for the database. A change is seen within `look_every`;
// while the database is away the last copy stays.
#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "common/time.hpp"
#include "store/business_settings.hpp"
#include "store/io/open_database.hpp"

namespace agentlocator {

class BusinessDirectory {
public:
    static constexpr Duration look_every = std::chrono::seconds(2);
    // A worker that starts waits for the first copy this long: calls may be there already.
    static constexpr Duration first_within = std::chrono::milliseconds(500);

    // `channel`: voice or whatsapp.
    BusinessDirectory(DatabaseAddress database, std::string channel);
    ~BusinessDirectory();
    BusinessDirectory(const BusinessDirectory&) = delete;
    BusinessDirectory& operator=(const BusinessDirectory&) = delete;

    // Empty: that number belongs to no business, or its business has set nothing. Any thread but the media thread.
    [[nodiscard]] NamedValues find(const std::string& number) const;

private:
    struct Copy {
        std::map<std::string, std::int64_t, std::less<>> business_of;  // By number.
        std::map<std::int64_t, NamedValues> values_of;
    };
    void run();
    void look(std::unique_ptr<Database>& database, Row& seen);

    const DatabaseAddress address_;
    const std::string channel_;
    mutable std::mutex mutex_;  // Guards what follows.
    std::condition_variable changed_;
    std::shared_ptr<const Copy> copy_;
    bool looked_ = false;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace agentlocator
