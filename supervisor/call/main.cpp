// agentlocator-call: `agentlocator call`, the fake Twilio. See options.cpp for what it does and its exit codes.
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "common/exit_code.hpp"
#include "supervisor/call/io/run_call.hpp"
#include "supervisor/call/options.hpp"

int main(int argc, char** argv) {
    using namespace agentlocator;
    try {
        const auto variable = [](const char* name) {
            const char* value = std::getenv(name);
            return std::string(value != nullptr ? value : "");
        };
        auto parsed = call::parse_options({argv + 1, argv + argc}, {variable("TWILIO_AUTH_TOKEN"), variable("PORT")});
        if (const auto* over = std::get_if<call::OptionsExit>(&parsed)) {
            std::fputs(over->text.c_str(), over->code == 0 ? stdout : stderr);
            return over->code;
        }
        return call::run_call(std::move(std::get<call::CallOptions>(parsed)));
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "agentlocator call: %s\n", failure.what());
        return to_int(ExitCode::internal);
    }
}
