#include "store/io/janitor.hpp"

#include <curl/curl.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>

#include "common/io/wall_clock.hpp"
#include "common/log_line.hpp"
#include "store/migrations.hpp"
#include "store/queries.hpp"

namespace agentlocator {
namespace {

constexpr long request_seconds_max = 20;
constexpr const char* lease_name = "retention";

std::size_t ignore_body(char* /*bytes*/, std::size_t size, std::size_t count, void* /*nothing*/) {
    return size * count;
}

// Twilio docs: Recordings resource. 204 deleted, 404 deleted before.
Result<void> delete_at_twilio(const Settings& settings, const std::string& sid) {
    if (settings.twilio_account_sid.empty() || settings.twilio_auth_token.empty()) {
        return error(Errc::bad_config, "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN are needed to delete recordings");
    }
    if (sid.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != std::string::npos) {
        return error(Errc::bad_message, "not a recording's id");  // It came from outside and becomes part of a URL.
    }
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), curl_easy_cleanup);
    if (!curl) {
        return error(Errc::io, "libcurl gives no handle");
    }
    const std::string url = settings.providers.twilio_api_url + "/2010-04-01/Accounts/" + settings.twilio_account_sid +
                            "/Recordings/" + sid + ".json";
    curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_CUSTOMREQUEST, "DELETE");
    curl_easy_setopt(curl.get(), CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt(curl.get(), CURLOPT_USERNAME, settings.twilio_account_sid.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_PASSWORD, settings.twilio_auth_token.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, request_seconds_max);
    curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, ignore_body);
    const CURLcode code = curl_easy_perform(curl.get());
    if (code != CURLE_OK) {
        return error(Errc::io, std::string("Twilio: ") + curl_easy_strerror(code));
    }
    long status = 0;
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status == 204 || status == 200 || status == 404) {
        return {};
    }
    return error(Errc::io, "Twilio answered " + std::to_string(status) + " to the deletion of a recording");
}

Result<void> delete_file(const std::string& path) {
    if (::unlink(path.c_str()) == 0 || errno == ENOENT) {
        return {};
    }
    return error(Errc::io, path + ": " + std::strerror(errno));
}

Result<RetentionReport> delete_old(Database& database, const Settings& settings, std::int64_t now_ms) {
    return run_retention(database,
                         {.now_ms = now_ms,
                          .days = settings.retention_days,
                          .delete_remote = [&](const std::string& sid) { return delete_at_twilio(settings, sid); },
                          .delete_file = delete_file});
}

}  // namespace

Result<RetentionReport> run_retention_now(const Settings& settings, const DatabaseAddress& address,
                                          std::int64_t now_ms) {
    auto database = open_database(address);
    if (!database) {
        return database.error();
    }
    if (auto migrated = migrate(**database, now_ms); !migrated) {
        return migrated.error();
    }
    return delete_old(**database, settings, now_ms);
}

Janitor::Janitor(Settings settings, DatabaseAddress address, std::string owner, std::function<void(std::string)> say)
    : settings_(std::move(settings)),
      address_(std::move(address)),
      owner_(std::move(owner)),
      say_(std::move(say)),
      thread_([this] { run(); }) {}

Janitor::~Janitor() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    stop_.notify_one();
    thread_.join();
}

void Janitor::run() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    ::pthread_setname_np(::pthread_self(), "store-janitor");
    std::chrono::steady_clock::duration pause = first_after;
    for (;;) {
        {
            std::unique_lock lock(mutex_);
            if (stop_.wait_for(lock, pause, [this] { return stopping_; })) {
                return;
            }
        }
        work();
        pause = every;
    }
}

void Janitor::work() {
    auto database = open_database(address_);
    if (!database) {
        return;  // The store's writer says so already.
    }
    const std::int64_t now = wall_ms();
    const auto leased =
        take_lease(**database, lease_name, owner_, now, now + std::chrono::milliseconds(every).count() / 2);
    if (!leased || !*leased) {
        return;
    }
    const auto report = delete_old(**database, settings_, now);
    if (!report) {
        say_(log_line("retention_failed", {{"cause", report.error().detail}}));
    } else if (report->failed > 0) {
        say_(log_line("retention_incomplete", {{"recordings", report->recordings},
                                               {"failed", report->failed},
                                               {"cause", report->first_fault},
                                               {"remedy", "it is tried again; until then the copies stay"}}));
    } else if (report->turns + report->recordings > 0) {
        say_(log_line("retention_done", {{"turns", report->turns}, {"recordings", report->recordings}}));
    }
}

}  // namespace agentlocator
