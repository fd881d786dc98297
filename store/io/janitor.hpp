#pragma once
// Runs the retention job now and then, on a thread of its own, in one process of all (a lease in the database).
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "common/config.hpp"
#include "store/io/open_database.hpp"
#include "store/retention.hpp"

namespace agentlocator {

// Opens the database, brings its schema up to date, deletes what is too old. Blocking.
[[nodiscard]] Result<RetentionReport> run_retention_now(const Settings& settings, const DatabaseAddress& address,
                                                        std::int64_t now_ms);

class Janitor {
public:
    static constexpr auto first_after = std::chrono::seconds(60);  // A start has better things to do.
    static constexpr auto every = std::chrono::minutes(30);

    // `say` is called on the janitor's thread, with a line for the log.
    Janitor(Settings settings, DatabaseAddress address, std::string owner, std::function<void(std::string)> say);
    ~Janitor();
    Janitor(const Janitor&) = delete;
    Janitor& operator=(const Janitor&) = delete;

private:
    void run();
    void work();

    const Settings settings_;
    const DatabaseAddress address_;
    const std::string owner_;
    const std::function<void(std::string)> say_;
    std::mutex mutex_;
    std::condition_variable stop_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace agentlocator
