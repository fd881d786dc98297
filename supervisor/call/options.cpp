#include "supervisor/call/options.hpp"

#include <CLI/CLI.hpp>
#include <sstream>

#include "common/exit_code.hpp"

namespace agentlocator::call {
namespace {

constexpr const char* summary_text =
    R"(Calls the server as Twilio does, listens to what it says, and tells whether the call was healthy.

It posts a signed webhook, obeys the TwiML it gets, streams audio over the WebSocket that the TwiML
names, plays what comes back, and holds every message against Twilio's rules. With an http:// URL
every connection goes to that one address, whatever host the TwiML names, as if a tunnel stood before
it; with https:// the URLs of the TwiML are taken at their word.)";

std::string footer_text() {
    std::ostringstream text;
    text << R"(Faults (--fault NAME or NAME=VALUE, repeatable):
)";
    for (const FaultInfo& fault : fault_table()) {
        std::string name(fault.name);
        if (!fault.unit.empty()) {
            name += "=" + std::to_string(static_cast<std::uint64_t>(fault.value)) +
                    (fault.unit == "n" ? "" : " " + std::string(fault.unit));
        }
        text << "  " << name << std::string(name.size() < 26 ? 26 - name.size() : 1, ' ') << fault.help << "\n";
    }
    text << R"(
What --expect means:
  echo      the caller hears himself (correlation at least 0.5, or 9 of 10 frames back)
  silence   no audio comes back
  speech    something audible comes back, and it is not the caller's own voice
  none      the audio is not judged
  auto      by the mode that GET /version names (ECHO, SINK, AI); none when there is a --fault or no answer
Whatever is expected, a call with a violation of Twilio's rules is not healthy.

Exit codes:
  0   healthy (with --calls: every call)
  1   not healthy; the summary says why
  64  wrong usage, or a file that cannot be read or written
  69  the server could not be reached at all
  70  a bug of ours

Examples:
  agentlocator call
  agentlocator call --wav question.wav --out answer.wav --seconds 20
  agentlocator call --noise 7 --expect speech --json
  agentlocator call --url https://voice.example.com --auth-token "$TWILIO_AUTH_TOKEN"
  agentlocator call --dtmf 12# --dtmf-after 3 --fault delay-marks=800
  agentlocator call --calls 500 --rate 100 --seconds 60 --unique)";
    return text.str();
}

void add_target_options(CLI::App& app, CallOptions& options, std::string& url, std::string& public_url) {
    app.add_option("--url", url, "Server to call: http://host:port or https://host; the default takes PORT")
        ->capture_default_str();
    app.add_option(
        "--public-url", public_url,
        "Address that Twilio would know it by, for signatures, Host and X-Forwarded-Proto; --url is still dialled");
    app.add_option("--path", options.voice_path, "Path of the voice webhook")->capture_default_str();
    app.add_option("--status-path", options.status_path, "Path of the call status callback; '' for none")
        ->capture_default_str();
    app.add_option("--stream-only", options.stream_path, "Ask for no TwiML; open the stream on this path at once")
        ->expected(0, 1)
        ->default_str("/ws/twilio-media");
    app.add_option("--auth-token", options.auth_token,
                   "Signs requests; default: TWILIO_AUTH_TOKEN (arguments can be seen in ps), unsigned without");
    app.add_option("--ca-file", options.ca_path, "Trust certificates signed by this one (PEM) instead of the system's")
        ->check(CLI::ExistingFile);
    app.add_option("--account-sid", options.account_sid, "AccountSid")->capture_default_str();
    app.add_option("--from", options.from, "Calling number")->capture_default_str();
    app.add_option("--to", options.to, "Called number")->capture_default_str();
    app.add_option("--subprotocol", options.subprotocol, "Offer a WebSocket subprotocol; Twilio offers none")
        ->expected(0, 1)
        ->default_str("audio.twilio.com");
}

void add_sound_options(CLI::App& app, CallOptions& options) {
    auto* sound =
        app.add_option_group("sound", "What the caller says; without one of these: faint line noise (-54 dB)");
    sound->add_option("--wav", options.wav_path, "A WAV file of any rate and width; silence follows it");
    sound
        ->add_option_function<std::uint64_t>(
            "--noise",
            [&options](const std::uint64_t& seed) { options.audio = {CallerSound::noise, seed, -20, 0, nullptr, 0}; },
            "White noise at -20 dB, made from this seed")
        ->expected(0, 1)
        ->default_str("1");
    sound
        ->add_option_function<double>(
            "--tone", [&options](const double& hz) { options.audio = {CallerSound::tone, 1, -20, hz, nullptr, 0}; },
            "A tone of this frequency at -20 dB")
        ->check(CLI::Range(1.0, 4000.0));
    sound->add_flag_callback(
        "--silence", [&options] { options.audio.sound = CallerSound::silence; }, "Digital silence");
    sound->require_option(0, 1);
    app.add_option("--dtmf", options.digits, "Keys to press")->check([](const std::string& digits) {
        return digits.find_first_not_of("0123456789*#ABCD") == std::string::npos ? "" : "only 0-9, *, # and A-D";
    });
    app.add_option("--dtmf-after", options.digits_after, "Seconds into the stream of the first key")
        ->capture_default_str()
        ->check(CLI::Range(0.0, seconds_max));
    app.add_option("--seconds", options.seconds,
                   "The caller hangs up after this much audio (10; with --wav: its length and 2 s); 0: the server ends "
                   "the call")
        ->check(CLI::Range(0.0, seconds_max));
    app.add_flag("--fast", options.fast, "As fast as the server takes it instead of in real time");
    app.add_option("--out", options.out_path, "Write what the caller hears: WAV, 16 bit, 8 kHz, silence included");
    app.add_option("--expect", options.expect, "What the caller should hear, see below")
        ->capture_default_str()
        ->check(CLI::IsMember({"auto", "echo", "silence", "speech", "none"}));
    app.add_option("--silence-max", options.silence_max,
                   "A call in which the caller hears nothing for more seconds than this is stuck, and not healthy")
        ->check(CLI::Range(0.1, seconds_max));
}

void add_load_options(CLI::App& app, CallOptions& options) {
    app.add_option("--calls", options.calls, "Make this many calls, each with its own phase of the 20 ms clock")
        ->check(CLI::Range(1U, calls_max));
    app.add_option("--rate", options.rate, "Calls to begin each second")
        ->capture_default_str()
        ->check(CLI::Range(0.1, 10'000.0));
    app.add_flag("--unique", options.unique,
                 "Number every frame: in ECHO mode shows loss, repeats, order, changes and latency");
    app.add_option("--seed", options.seed, "Repeats ids, jitter and masks of an earlier run; default: from the clock");
    app.add_flag("--json", options.json, "Print the summary as JSON");
    app.add_flag("--quiet,-q", options.quiet, "No progress on stderr");
}

// Empty, or what is wrong beyond what CLI11 checks.
std::string complete(CLI::App& app, CallOptions& options, const std::string& url, const std::string& public_url) {
    const auto dialled = parse_url(url);
    if (!dialled || (dialled->scheme != "http" && dialled->scheme != "https")) {
        return "--url " + url + ": not an http:// or https:// address";
    }
    const auto named = public_url.empty() ? dialled : parse_url(public_url);
    if (!named || (named->scheme != "http" && named->scheme != "https")) {
        return "--public-url " + public_url + ": not an http:// or https:// address";
    }
    options.url = *dialled;
    options.public_url = *named;
    options.tunnelled = !public_url.empty();
    if (app.count("--stream-only") > 0 && options.stream_path.empty()) {
        options.stream_path = "/ws/twilio-media";
    }
    if (app.count("--subprotocol") > 0 && options.subprotocol.empty()) {
        options.subprotocol = "audio.twilio.com";
    }
    for (const std::string* path : {&options.voice_path, &options.status_path, &options.stream_path}) {
        if (!path->empty() && !path->starts_with('/')) {
            return "path " + *path + ": must begin with /";
        }
    }
    options.seconds_given = app.count("--seconds") > 0;
    options.load = app.count("--calls") > 0;
    if (options.load && !options.out_path.empty()) {
        return "--out is for a single call";
    }
    if (options.load && options.seconds_given && options.seconds == 0) {
        return "--calls needs an end: --seconds greater than 0";
    }
    if (options.load && options.fast) {
        return "--fast is for a single call";
    }
    if (options.fast && options.silence_max > 0) {
        return "--silence-max needs real time: not with --fast";
    }
    return {};
}

}  // namespace

std::variant<CallOptions, OptionsExit> parse_options(const std::vector<std::string>& arguments,
                                                     const OptionsEnvironment& environment) {
    CallOptions options;
    options.audio.level_dbfs = -54;
    options.voice_path = "/webhook/incoming_call";
    options.status_path = "/webhook/call_status";
    options.account_sid = "AC00000000000000000000000000000000";
    options.from = "+972501234567";
    options.to = "+97233760000";
    std::string url = "http://127.0.0.1:" + (environment.port.empty() ? "5000" : environment.port);
    std::string public_url;
    std::vector<std::string> faults;
    CLI::App app(summary_text, "agentlocator call");
    add_target_options(app, options, url, public_url);
    add_sound_options(app, options);
    app.add_option("--fault", faults, "Do something wrong on purpose, see below")->take_all()->allow_extra_args(false);
    add_load_options(app, options);
    app.footer(footer_text());
    try {
        // CLI11 takes its arguments in reverse order.
        app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::ParseError& failure) {
        std::ostringstream out;
        std::ostringstream problem;
        const int code = app.exit(failure, out, problem);
        return OptionsExit{code == 0 ? 0 : to_int(ExitCode::usage), out.str() + problem.str()};
    }
    std::string problem = complete(app, options, url, public_url);
    for (const std::string& fault : faults) {
        if (const auto added = options.faults.add(fault); added.has_error() && problem.empty()) {
            problem = added.error().detail;
        }
    }
    if (!problem.empty()) {
        return OptionsExit{to_int(ExitCode::usage), problem + "\nRun with --help for more information.\n"};
    }
    if (options.auth_token.empty()) {
        options.auth_token = environment.auth_token;
    }
    return options;
}

}  // namespace agentlocator::call
