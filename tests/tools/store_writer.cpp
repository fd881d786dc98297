// A process that does nothing but tell facts: for the tests that kill it. Says "acknowledged N" for each fact that the
// store has taken over; from then on it must be found in the database, whatever is killed.
//
//   test-store-writer DATABASE_URL DATA_FOLDER NAME        until SIGKILL; NAME makes its calls unique
//   test-store-writer DATABASE_URL DATA_FOLDER --drain     until no fact waits in any spool file; then exits with 0
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <string>

#include "store/io/store_writer.hpp"

namespace agentlocator {
namespace {

constexpr std::uint64_t in_flight_max = 8;           // Several share one fdatasync, as in a busy worker.
constexpr auto pace = std::chrono::milliseconds(4);  // Thousands a second are enough to be killed among.

std::size_t spool_files(const std::string& folder) {
    std::size_t count = 0;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
        count += entry.path().extension() == ".spool" && entry.file_size(ignored) > 0 ? 1U : 0U;
    }
    return count;
}

void report(const StoreNews& news, std::uint64_t& answered, std::string& out) {
    if (const auto* outcome = std::get_if<StoreOutcome>(&news)) {
        ++answered;
        out += (outcome->stored ? "acknowledged " : "refused ") + std::to_string(outcome->receipt) + "\n";
    } else {
        out += std::get<StoreLine>(news).text + "\n";
    }
}

void write_all(std::string& out) {
    for (std::size_t done = 0; done < out.size();) {
        const ssize_t count = ::write(STDOUT_FILENO, out.data() + done, out.size() - done);
        if (count <= 0) {
            std::_Exit(1);
        }
        done += static_cast<std::size_t>(count);
    }
    out.clear();
}

int tell_for_ever(StoreWriter& writer, StoreNewsBox& news, const std::string& name) {
    std::string out = "ready\n";
    std::uint64_t told = 0;
    std::uint64_t answered = 0;
    for (;;) {
        for (; told - answered < in_flight_max; ++told) {
            const auto number = static_cast<std::int64_t>(told + 1);
            writer.tell(TurnFact{.call_sid = name, .turn = number, .speaker = "caller", .text = "x", .said_at = number},
                        &news, told + 1);
        }
        write_all(out);
        news.wait(std::chrono::seconds(1));
        for (const StoreNews& one : news.take()) {
            report(one, answered, out);
        }
        std::this_thread::sleep_for(pace);
    }
}

int drain(StoreNewsBox& news, const std::string& folder) {
    std::string out = "ready\n";
    std::uint64_t answered = 0;
    while (spool_files(folder) > 0) {
        write_all(out);
        news.wait(std::chrono::milliseconds(20));
        for (const StoreNews& one : news.take()) {
            report(one, answered, out);
        }
    }
    write_all(out);
    return 0;
}

int run(const std::string& url, const std::string& data, const std::string& name) {
    const auto address = parse_database_url(url, data);
    if (!address) {
        std::cerr << address.error().detail << "\n";
        return 64;
    }
    const std::string folder = data + "/spool";
    StoreNewsBox news(100'000);
    StoreWriter writer({.database = *address,
                        .spool_folder = folder,
                        .process = name + "-" + std::to_string(::getpid()),
                        .limits = {.bytes_max = 256ULL << 20U, .segment_bytes = 8192},  // Many files: many seams.
                        .patience = {std::chrono::seconds(2), std::chrono::seconds(2)},
                        .log = &news});
    return name == "--drain" ? drain(news, folder) : tell_for_ever(writer, news, name);
}

}  // namespace
}  // namespace agentlocator

int main(int argc, char** argv) {
    return argc == 4 ? agentlocator::run(argv[1], argv[2], argv[3]) : 64;
}
