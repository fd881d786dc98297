#pragma once
// The bytes of a snapshot (worker/call_snapshot): writing and reading its numbers, texts and fields. Pure.
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/call_state.hpp"

namespace agentlocator::snapshot {

using Bytes = std::span<const std::uint8_t>;

inline constexpr std::string_view magic = "ALCS";
inline constexpr std::uint32_t section_version = 1;  // Raised when a section's meaning changes, not for a new field.

[[nodiscard]] inline std::string_view text(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class Writer {
public:
    void number(std::uint64_t value, std::size_t bytes) {
        for (std::size_t i = 0; i < bytes; ++i) {
            out_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
        }
    }
    void bytes(Bytes bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
    void text(std::string_view text) { bytes({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}); }
    void section(std::string_view tag, Bytes content) {
        text(tag);
        number(section_version, 4);
        number(content.size(), 4);
        bytes(content);
    }
    [[nodiscard]] std::vector<std::uint8_t> take() { return std::move(out_); }

private:
    std::vector<std::uint8_t> out_;
};

class Reader {
public:
    explicit Reader(Bytes bytes) : bytes_(bytes) {}
    [[nodiscard]] bool empty() const { return bytes_.empty(); }
    [[nodiscard]] Bytes rest() const { return bytes_; }
    [[nodiscard]] bool take(std::size_t size, Bytes& out) {
        if (size > bytes_.size()) {
            return false;
        }
        out = bytes_.first(size);
        bytes_ = bytes_.subspan(size);
        return true;
    }
    [[nodiscard]] bool number(std::size_t size, std::uint64_t& out) {
        Bytes bytes;
        if (!take(size, bytes)) {
            return false;
        }
        out = value(bytes);
        return true;
    }
    [[nodiscard]] static std::uint64_t value(Bytes bytes) {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < bytes.size() && i < sizeof sum; ++i) {
            sum |= std::uint64_t{bytes[i]} << (8 * i);
        }
        return sum;
    }

private:
    Bytes bytes_;
};

template <class T>
constexpr std::uint64_t greatest() {
    if constexpr (std::is_enum_v<T>) {
        return greatest<std::underlying_type_t<T>>();
    } else {
        return static_cast<std::uint64_t>(std::numeric_limits<std::make_unsigned_t<T>>::max());
    }
}
template <>
constexpr std::uint64_t greatest<bool>() {
    return 1;
}

class FieldWriter {
public:
    explicit FieldWriter(Writer& out) : out_(out) {}
    template <class T>
    void operator()(std::uint16_t id, const T& value) {
        out_.number(id, 2);
        out_.number(sizeof value, 2);
        out_.number(static_cast<std::uint64_t>(value), sizeof value);
    }
    template <std::size_t N>
    void operator()(std::uint16_t id, const FixedText<N>& value) {
        out_.number(id, 2);
        out_.number(value.view().size(), 2);
        out_.text(value.view());
    }

private:
    Writer& out_;
};

// One field of a section into the member that has its id; nothing when none has it.
class FieldLoader {
public:
    FieldLoader(std::uint64_t id, Bytes content) : id_(id), content_(content) {}
    [[nodiscard]] bool fits() const { return fits_; }

    // A number may have had another width, but its value must fit into ours.
    template <class T>
    void operator()(std::uint16_t id, T& value) {
        if (id != id_) {
            return;
        }
        std::uint64_t number = Reader::value(content_);
        if constexpr (std::is_signed_v<T>) {  // Written at the width of its own: the sign is in its highest byte.
            if (content_.size() < sizeof number && !content_.empty() && (content_.back() & 0x80U) != 0) {
                number |= ~std::uint64_t{0} << (8 * content_.size());
            }
            value = static_cast<T>(number);
            fits_ = static_cast<std::uint64_t>(static_cast<std::int64_t>(value)) == number;
        } else {
            fits_ = content_.size() <= sizeof number && number <= greatest<T>();
            value = fits_ ? static_cast<T>(number) : value;
        }
    }
    template <std::size_t N>
    void operator()(std::uint16_t id, FixedText<N>& value) {
        if (id == id_) {
            fits_ = value.assign(text(content_));
        }
    }

private:
    std::uint64_t id_;
    Bytes content_;
    bool fits_ = true;
};

}  // namespace agentlocator::snapshot
