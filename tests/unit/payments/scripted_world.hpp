#pragma once
// A provider that answers from a list, and remembers what it was asked.
#include <doctest/doctest.h>

#include <deque>
#include <string>
#include <vector>

#include "tests/unit/store/store_fixture.hpp"  // How a failed check shows a Result.
#include "worker/payments/payment_provider.hpp"

namespace agentlocator {

struct ScriptedWorld {
    std::vector<WaitingHttpCall> asked;
    std::deque<HttpReply> answers;
    TimePoint now{};
    PaymentWorld world{.send =
                           [this](const WaitingHttpCall& call) {
                               asked.push_back(call);
                               if (answers.empty()) {
                                   return HttpReply{.status = 0, .body = {}, .sent = false, .error = "no answer left"};
                               }
                               HttpReply reply = answers.front();
                               answers.pop_front();
                               return reply;
                           },
                       .now = [this] { return now; },
                       .unix_ms = [] { return std::int64_t{1'790'000'000'123}; },
                       .nonce = [] { return std::string(80, 'a'); }};

    void answer(long status, std::string body) { answers.push_back({status, std::move(body), true, {}}); }
    void no_answer() { answers.push_back({0, {}, true, "Timeout was reached"}); }
    [[nodiscard]] std::string asked_header(std::size_t index, const std::string& name) const {
        for (const std::string& header : asked.at(index).headers) {
            if (header.starts_with(name + ": ")) {
                return header.substr(name.size() + 2);
            }
        }
        return {};
    }
};

}  // namespace agentlocator
