#pragma once
// The command line of `agentlocator call`. The one place where CLI11 is included.
#include <string>
#include <variant>
#include <vector>

#include "supervisor/call/caller_audio.hpp"
#include "supervisor/call/faults.hpp"
#include "supervisor/call/url.hpp"

namespace agentlocator::call {

constexpr unsigned calls_max = 20'000;     // Two descriptors a call fit the usual hard limit of a million.
constexpr double seconds_max = 24 * 3600;  // Twilio's longest call.

struct CallOptions {
    Url url;
    Url public_url;  // The same as url unless given.
    bool tunnelled = false;
    std::string voice_path;
    std::string status_path;
    std::string stream_path;  // Not empty: --stream-only.
    std::string auth_token;
    std::string account_sid;
    std::string from;
    std::string to;
    std::string subprotocol;
    std::string ca_path;  // Empty: the system's certificates.
    CallerAudioPlan audio;
    std::string wav_path;
    std::string digits;
    double digits_after = 1;
    double seconds = 10;  // 0: until the server ends the call.
    bool seconds_given = false;
    bool fast = false;
    std::string out_path;
    std::string expect = "auto";
    double silence_max = 0;  // Seconds; 0: any silence is fine.
    Faults faults;
    unsigned calls = 1;
    double rate = 50;
    bool load = false;  // --calls was given, even with 1.
    bool unique = false;
    bool json = false;
    bool quiet = false;
    std::uint64_t seed = 0;  // 0: from the clock.
};

// What to print instead, and the exit code: --help, or a fault of usage.
struct OptionsExit {
    int code;
    std::string text;
};

// Defaults that the environment gives.
struct OptionsEnvironment {
    std::string auth_token;  // TWILIO_AUTH_TOKEN
    std::string port;        // PORT, of the server on this machine.
};

[[nodiscard]] std::variant<CallOptions, OptionsExit> parse_options(const std::vector<std::string>& arguments,
                                                                   const OptionsEnvironment& environment);

}  // namespace agentlocator::call
