#pragma once
// Expected failure is a value (style: errors). Check first, then dereference: `.value()` does not compile.
#include <boost/system/result.hpp>
#include <string>
#include <utility>

namespace agentlocator {

enum class Errc {
    bad_config,   // a setting, flag or file of ours is wrong
    bad_message,  // a peer sent something malformed
    too_large,    // a named limit was passed
    not_found,
    refused,  // not allowed, or somebody else holds it
    io,       // a system call failed
    timeout,
    stopped,  // asked to end; never an error to report
};

struct Error {
    Errc code;           // To branch on.
    std::string detail;  // For people: what was wrong, where, what is valid. Never sent to a peer, never parsed.
};

template <class T>
using Result = boost::system::result<T, Error>;

[[nodiscard]] inline Error error(Errc code, std::string detail) {
    return Error{code, std::move(detail)};
}

}  // namespace agentlocator
