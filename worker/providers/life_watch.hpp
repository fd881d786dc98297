#pragma once
// Tells code that calls out whether the callback destroyed the object it runs in. A member of that object.
//
//   const LifeWatch::Scope scope(life_);
//   listener->on_text(text);
//   if (scope.gone()) { return; }
#include <memory>

namespace agentlocator {

class LifeWatch {
public:
    LifeWatch() = default;
    LifeWatch(const LifeWatch&) = delete;
    LifeWatch& operator=(const LifeWatch&) = delete;
    ~LifeWatch() = default;

    class Scope {
    public:
        explicit Scope(const LifeWatch& watch) : life_(watch.life_) {}
        [[nodiscard]] bool gone() const { return life_.expired(); }

    private:
        std::weak_ptr<const bool> life_;
    };

private:
    std::shared_ptr<const bool> life_ = std::make_shared<const bool>(true);
};

}  // namespace agentlocator
