#include "supervisor/io/log_outputs.hpp"

#include <spdlog/details/log_msg.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "supervisor/line_splitter.hpp"

namespace agentlocator {
namespace {

class FileOutput final : public LogOutput {
public:
    explicit FileOutput(LogFileLimits limits) : limits_(std::move(limits)) {}

    Outcome write(const std::vector<LogRecord>& batch) override {
        Outcome outcome;
        std::set<LogTarget*> touched;
        for (const LogRecord& record : batch) {
            if (attempt(outcome, *record.target, [&] { append(*record.target, record.text); })) {
                touched.insert(record.target);
            }
        }
        // stdio reports a full disk at the flush: without one the loss would go unnoticed.
        for (LogTarget* target : touched) {
            (void)attempt(outcome, *target, [&] { sink(*target).flush(); });
        }
        if (outcome.lost == 0) {
            forget_mended();
        }
        if (!faults_.empty()) {
            outcome.fault = faults_.begin()->second;
        }
        return outcome;
    }

private:
    using Sink = spdlog::sinks::rotating_file_sink_st;

    // The library throws; here it becomes a value.
    template <class Function>
    bool attempt(Outcome& outcome, LogTarget& target, const Function& function) {
        try {
            function();
            return true;
        } catch (const std::exception& failure) {
            ++outcome.lost;
            faults_[&target] = failure.what();
            target.dropped.fetch_add(1, std::memory_order_relaxed);
            return false;
        }
    }

    // On a full disk a file with room in its last block still takes lines; that one went well mends no other. So the
    // faults stay until the disk has a free block and their file can be opened.
    void forget_mended() {
        struct statvfs disk {};
        if (faults_.empty() || ::statvfs(limits_.folder.c_str(), &disk) != 0 || disk.f_bavail == 0) {
            return;
        }
        std::erase_if(faults_, [this](const auto& fault) {
            try {
                sink(*fault.first).flush();
                return true;
            } catch (const std::exception&) {
                return false;
            }
        });
    }

    Sink& sink(const LogTarget& target) {
        auto& sink = sinks_[&target];
        if (!sink) {
            ::mkdir(limits_.folder.c_str(), 0700);
            const std::size_t older = limits_.files > 1 ? limits_.files - 1 : 0;
            sink = std::make_unique<Sink>(limits_.folder + "/" + target.name + ".log", limits_.bytes_max, older);
            sink->set_pattern("%v");
        }
        return *sink;
    }

    void append(const LogTarget& target, const std::string& text) {
        sink(target).log(spdlog::details::log_msg("", spdlog::level::info, text));
    }

    LogFileLimits limits_;
    std::map<const LogTarget*, std::unique_ptr<Sink>> sinks_;
    std::map<const LogTarget*, std::string> faults_;  // Why lines of a target were lost, until it is mended.
};

class ConsoleOutput final : public LogOutput {
public:
    ConsoleOutput(int fd, bool colour) : fd_(fd), colour_(colour) {}

    Outcome write(const std::vector<LogRecord>& batch) override {
        Outcome outcome;
        std::string text;
        for (const LogRecord& record : batch) {
            append(text, record);
        }
        if (gone_ || !write_all(text)) {
            outcome.lost = batch.size();
            outcome.fault = gone_ ? "the console's reader is gone" : std::strerror(errno);
        }
        return outcome;
    }

private:
    void append(std::string& text, const LogRecord& record) const {
        const bool own = record.target->name == "supervisor";
        if (!own) {
            text += colour_ ? "\x1b[36m[" + record.target->name + "]\x1b[0m " : "[" + record.target->name + "] ";
        }
        text += record.text;
        text += '\n';
    }

    bool write_all(std::string_view text) {
        while (!text.empty()) {
            const auto count = ::write(fd_, text.data(), text.size());
            if (count < 0) {
                gone_ = errno == EPIPE || errno == EBADF || errno == EIO;  // EIO: the terminal was hung up.
                return false;
            }
            text.remove_prefix(static_cast<std::size_t>(count));
        }
        return true;
    }

    int fd_;
    bool colour_;
    bool gone_ = false;
};

}  // namespace

std::unique_ptr<LogOutput> make_file_output(LogFileLimits limits) {
    return std::make_unique<FileOutput>(std::move(limits));
}

std::unique_ptr<LogOutput> make_console_output(int fd, bool colour) {
    return std::make_unique<ConsoleOutput>(fd, colour);
}

}  // namespace agentlocator
