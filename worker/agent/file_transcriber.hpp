#pragma once
// The door to services that write down a recording as the file it is. Beside SttProvider, which is given the sound of a
// call as it comes: a voice note is whole, and in a format that only the service needs to read.
#include <string>
#include <string_view>

#include "worker/agent/provider.hpp"
#include "worker/agent/provider_chain.hpp"

namespace agentlocator {

struct SoundFile {
    std::string bytes{};
    std::string mime{};
};

// A file name that says what the sound is, by which the services know it; empty: none of them reads that.
[[nodiscard]] std::string_view sound_file_name(std::string_view mime);

class FileTranscriber {
public:
    virtual ~FileTranscriber() = default;
    [[nodiscard]] virtual std::string_view name() const = 0;
    // on_done or on_error comes once and later, as of every provider.
    [[nodiscard]] virtual OperationPtr start(const SoundFile& file, std::string_view language,
                                             SttListener listener) = 0;
};

}  // namespace agentlocator
