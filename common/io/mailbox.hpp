#pragma once
// A bounded queue between threads that never makes the sender wait: any number of senders, one receiver. Sending takes
// no lock (a compare-and-swap on the list's head) and one system call when the receiver may be asleep, so the media
// thread may use it. fd() is readable while something waits: for an EventLoop, or for wait().
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <system_error>
#include <utility>
#include <vector>

#include "common/io/unique_fd.hpp"
#include "common/time.hpp"

namespace agentlocator {

template <class T>
class Mailbox {
public:
    explicit Mailbox(std::size_t limit) : limit_(limit), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        if (!wake_) {
            throw std::system_error(errno, std::generic_category(), "eventfd");
        }
    }
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;
    ~Mailbox() { static_cast<void>(take()); }

    // False: full, `letter` is untouched. Any thread.
    [[nodiscard]] bool push(T& letter) {
        if (count_.fetch_add(1, std::memory_order_relaxed) >= limit_) {
            count_.fetch_sub(1, std::memory_order_relaxed);
            return false;
        }
        Node* older = newest_.load(std::memory_order_relaxed);
        Node* const node = new Node{std::move(letter), older};
        while (!newest_.compare_exchange_weak(older, node, std::memory_order_release, std::memory_order_relaxed)) {
            node->older = older;
        }
        // The node is the receiver's from here on.
        if (older == nullptr) {  // It may sleep; whoever comes behind needs not wake it again.
            wake();
        }
        return true;
    }
    [[nodiscard]] bool push(T&& letter) { return push(letter); }

    // All that waits, in the order of sending. The receiver only.
    [[nodiscard]] std::vector<T> take() {
        std::uint64_t ignored = 0;
        static_cast<void>(!::read(wake_.get(), &ignored, sizeof ignored));
        std::vector<T> letters;
        for (Node* node = newest_.exchange(nullptr, std::memory_order_acquire); node != nullptr;) {
            letters.push_back(std::move(node->letter));
            delete std::exchange(node, node->older);
        }
        count_.fetch_sub(letters.size(), std::memory_order_relaxed);
        std::reverse(letters.begin(), letters.end());
        return letters;
    }

    // Until something waits, wake() was called or `most` has passed. The receiver only.
    void wait(Duration most) const {
        const auto ms = std::chrono::ceil<std::chrono::milliseconds>(most).count();
        pollfd watched{wake_.get(), POLLIN, 0};
        ::poll(&watched, 1, static_cast<int>(std::clamp<std::int64_t>(ms, 0, 60'000)));
    }
    void wake() const {
        const std::uint64_t one = 1;
        static_cast<void>(!::write(wake_.get(), &one, sizeof one));  // Full means: readable already.
    }
    [[nodiscard]] int fd() const { return wake_.get(); }
    [[nodiscard]] std::size_t size() const { return count_.load(std::memory_order_relaxed); }

private:
    struct Node {
        T letter;
        Node* older;
    };
    const std::size_t limit_;
    const UniqueFd wake_;
    std::atomic<std::size_t> count_{0};
    std::atomic<Node*> newest_{nullptr};
};

}  // namespace agentlocator
