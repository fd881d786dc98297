#pragma once
// Where this installation lives. Everything that comes with it is found from the program's own path, never from the
// working directory (F-37: started elsewhere, the old launcher did not find its own folders). Pure.
#include <string>
#include <string_view>

namespace agentlocator {

// ROOT/build/<preset>/bin/program and ROOT/bin/program give ROOT; a program anywhere else lives in its own folder.
// `program` is absolute, as /proc/self/exe gives it.
[[nodiscard]] std::string installation_root(std::string_view program);

}  // namespace agentlocator
