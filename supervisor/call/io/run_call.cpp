#include "supervisor/call/io/run_call.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "common/exit_code.hpp"
#include "supervisor/call/io/caller.hpp"
#include "supervisor/call/load_summary.hpp"
#include "supervisor/call/mulaw.hpp"
#include "supervisor/call/wav.hpp"

namespace agentlocator::call {
namespace {

constexpr std::size_t wav_file_bytes_max =
    512U * 1024 * 1024;  // 12 h of the telephone's rate, 45 min of 96 kHz stereo.
constexpr Duration progress_every = 2s;
constexpr double wav_tail_seconds = 2;  // For the answer to what the recording asked.

void complain(const std::string& text) {
    std::fprintf(stderr, "agentlocator call: %s\n", text.c_str());
}

Result<std::string> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return error(Errc::io, path + ": " + std::strerror(errno));
    }
    file.seekg(0, std::ios::end);
    if (file.tellg() < 0 || static_cast<std::size_t>(file.tellg()) > wav_file_bytes_max) {
        return error(Errc::too_large, path + ": is no file of at most 512 MiB");
    }
    file.seekg(0);
    return std::string(std::istreambuf_iterator<char>(file), {});
}

Result<std::vector<std::uint8_t>> load_recording(const std::string& path) {
    const auto file = read_file(path);
    if (!file) {
        return file.error();
    }
    const auto sound = read_wav(*file);
    if (!sound) {
        return error(Errc::bad_message, path + ": " + sound.error().detail);
    }
    const auto samples = to_telephone_rate(*sound);
    if (!samples) {
        return error(Errc::bad_message, path + ": " + samples.error().detail);
    }
    return to_mulaw(*samples);
}

bool write_heard(const std::string& path, const Summary& summary) {
    std::vector<std::int16_t> samples;
    for (const StreamReport& stream : summary.report.streams) {
        for (const std::uint8_t code : stream.heard) {
            samples.push_back(decode_mulaw(code));
        }
    }
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << write_wav(samples);
    file.close();
    return file.good();
}

Duration cpu_time() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return std::chrono::seconds(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           std::chrono::microseconds(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

// SIGINT and SIGTERM as events: the first hangs up, the second ends at once.
class StopSignals {
public:
    StopSignals(EventLoop& loop, std::function<void()> on_stop)
        : loop_(loop), sink_([this, on_stop = std::move(on_stop)](std::uint32_t) {
              signalfd_siginfo info{};
              if (::read(fd_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
                  on_stop();
              }
          }) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        sigprocmask(SIG_BLOCK, &set, nullptr);
        fd_.reset(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
        loop_.add(fd_.get(), EPOLLIN, sink_);
    }
    ~StopSignals() { loop_.remove(fd_.get(), sink_); }
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

private:
    EventLoop& loop_;
    UniqueFd fd_;
    FunctionSink sink_;
};

constexpr Duration fast_linger = 250ms;  // With --fast the last answers are still under way when the audio ends.
constexpr Duration unique_linger = 5s;   // Before frames without an answer count as lost.

class Run {
public:
    explicit Run(CallOptions options)
        : options_(std::move(options)),
          hub_(loop_, options_.ca_path),
          clock_(loop_),
          signals_(loop_, [this] { stop(); }) {
        if (options_.seed == 0) {
            options_.seed = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
        }
        load_.asked = options_.calls;
    }

    int run();

private:
    void find_expectation();
    void begin();
    void start_due();
    void on_done(std::size_t index);
    void stop();
    void progress();
    [[nodiscard]] CallPlan plan(std::size_t index) const;
    [[nodiscard]] int report();

    CallOptions options_;
    EventLoop loop_;
    CurlHub hub_;
    FrameClock clock_;
    StopSignals signals_;
    Expectation expectation_ = Expectation::any;
    std::vector<std::unique_ptr<Caller>> callers_;
    TimePoint began_{};
    Duration cpu_began_{};
    std::uint64_t live_ = 0;
    bool stopping_ = false;
    bool reached_ = false;
    LoadSummary load_;
    std::optional<Summary> single_;
};

void Run::find_expectation() {
    if (options_.expect != "auto") {
        expectation_ = options_.expect == "echo"      ? Expectation::echo
                       : options_.expect == "silence" ? Expectation::silence
                       : options_.expect == "speech"  ? Expectation::speech
                                                      : Expectation::any;
        return begin();
    }
    if (!options_.faults.empty()) {
        return begin();
    }
    hub_.request({options_.url.scheme + "://" + options_.url.authority + "/version", "GET", "", {}},
                 [this](const HttpAnswer& answer) {
                     expectation_ = answer.status == 200 ? expectation_of(answer.body) : Expectation::any;
                     begin();
                 });
}

CallPlan Run::plan(std::size_t index) const {
    Random random(options_.seed + index);
    CallPlan plan;
    plan.dialled = options_.url;
    plan.named = options_.public_url;
    plan.tunnelled = options_.tunnelled;
    plan.voice_target = options_.voice_path;
    plan.status_target = options_.status_path;
    plan.stream_target = options_.stream_path;
    plan.auth_token = options_.auth_token;
    plan.from = options_.from;
    plan.to = options_.to;
    plan.started_wall = std::chrono::system_clock::now();
    plan.seed = random.next();
    plan.stream.ids.account_sid = options_.account_sid;
    plan.stream.upgrade.subprotocol = options_.subprotocol;
    plan.stream.audio = options_.audio;
    plan.stream.audio.seed = options_.audio.seed + index;
    plan.stream.faults = options_.faults;
    plan.stream.digits = options_.digits;
    plan.stream.digits_after_ticks = static_cast<std::uint64_t>(options_.digits_after * 50);
    plan.stream.ticks = static_cast<std::uint64_t>(std::lround(options_.seconds * 50));
    plan.stream.fast = options_.fast;
    plan.stream.record = !options_.load;
    plan.stream.linger = options_.fast ? fast_linger : Duration::zero();
    if (options_.unique) {
        plan.stream.ledger_call = static_cast<std::uint32_t>(index);
        plan.stream.linger = unique_linger;
    }
    return plan;
}

void Run::begin() {
    began_ = Clock::now();
    cpu_began_ = cpu_time();
    start_due();
    if (options_.load && !options_.quiet && isatty(STDERR_FILENO) != 0) {
        loop_.call_at(began_ + progress_every, [this] { progress(); });
    }
}

void Run::start_due() {
    if (stopping_) {
        return;
    }
    const double elapsed = std::chrono::duration<double>(Clock::now() - began_).count();
    const auto due = std::min<std::size_t>(options_.calls, static_cast<std::size_t>(elapsed * options_.rate) + 1);
    while (callers_.size() < due) {
        const std::size_t index = callers_.size();
        callers_.push_back(std::make_unique<Caller>(loop_, hub_, clock_, index, plan(index), [this, index] {
            loop_.defer([this, index] { on_done(index); });  // The caller is still on the stack.
        }));
        ++load_.started;
        load_.most_at_once = std::max(load_.most_at_once, ++live_);
        callers_.back()->start();
    }
    if (callers_.size() < options_.calls) {
        const auto next = std::chrono::duration<double>(static_cast<double>(callers_.size()) / options_.rate);
        loop_.call_at(began_ + std::chrono::duration_cast<Duration>(next), [this] { start_due(); });
    }
}

void Run::on_done(std::size_t index) {
    const Caller& caller = *callers_[index];
    reached_ = reached_ || caller.report().reached;
    const bool stopped_early = stopping_ && caller.report().streams.empty();
    Summary summary =
        summarize(caller.flow().call_sid(), caller.report(),
                  {expectation_, !stopped_early, options_.unique, options_.faults,
                   std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options_.silence_max))});
    load_.add(summary);
    if (!options_.load) {
        single_ = std::move(summary);
    }
    callers_[index].reset();
    --live_;
    if (live_ == 0 && (stopping_ || callers_.size() == options_.calls)) {
        loop_.stop();
    }
}

void Run::stop() {
    if (stopping_ || callers_.empty()) {
        return loop_.stop();
    }
    stopping_ = true;
    load_.asked = load_.started;  // Those that were never begun are no failure.
    for (const auto& caller : callers_) {
        if (caller) {
            caller->hang_up();
        }
    }
}

void Run::progress() {
    std::size_t streaming = 0;
    for (const auto& caller : callers_) {
        streaming += caller && caller->streaming() ? 1 : 0;
    }
    std::fprintf(stderr, "%5.0f s  %llu begun, %zu streaming, %llu ended, %llu not healthy\n",
                 std::chrono::duration<double>(Clock::now() - began_).count(),
                 static_cast<unsigned long long>(load_.started), streaming,
                 static_cast<unsigned long long>(load_.ended),
                 static_cast<unsigned long long>(load_.ended - load_.healthy));
    loop_.call_at(Clock::now() + progress_every, [this] { progress(); });
}

int Run::report() {
    load_.wall = Clock::now() - began_;
    load_.cpu = cpu_time() - cpu_began_;
    load_.clock_latest = clock_.latest();
    const bool healthy = single_ ? single_->healthy() : load_.is_healthy() && load_.ended > 0;
    const auto replace = nlohmann::ordered_json::error_handler_t::replace;
    const std::string text = options_.json
                                 ? (single_ ? to_json(*single_) : to_json(load_)).dump(2, ' ', false, replace) + "\n"
                             : single_ ? to_text(*single_)
                                       : to_text(load_);
    std::fwrite(text.data(), 1, text.size(), stdout);
    if (single_ && !options_.out_path.empty() && !write_heard(options_.out_path, *single_)) {
        complain(options_.out_path + ": " + std::strerror(errno));
        return to_int(ExitCode::usage);
    }
    if (healthy) {
        return to_int(ExitCode::ok);
    }
    return to_int(reached_ || load_.ended == 0 ? ExitCode::failed : ExitCode::unavailable);
}

int Run::run() {
    find_expectation();
    loop_.run();
    callers_.clear();
    return report();
}

}  // namespace

int run_call(CallOptions options) {
    if (!options.wav_path.empty()) {
        auto recording = load_recording(options.wav_path);
        if (!recording) {
            complain(recording.error().detail);
            return to_int(ExitCode::usage);
        }
        if (!options.seconds_given) {
            options.seconds = static_cast<double>(recording->size()) / 8000 + wav_tail_seconds;
        }
        options.audio.sound = CallerSound::recording;
        options.audio.recording = std::make_shared<const std::vector<std::uint8_t>>(std::move(*recording));
    }
    raise_descriptor_limit();
    return Run(std::move(options)).run();
}

}  // namespace agentlocator::call
