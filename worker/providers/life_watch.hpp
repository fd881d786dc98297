#pragma once
// Tells code that calls out whether the callback destroyed the object it runs in. A member of that object.
//
//   const LifeWatch::Scope scope(life_);
//   listener->on_text(text);
//   if (scope.gone()) { return; }

namespace agentlocator {

class LifeWatch {
public:
    LifeWatch() = default;
    LifeWatch(const LifeWatch&) = delete;
    LifeWatch& operator=(const LifeWatch&) = delete;
    ~LifeWatch() {
        for (Scope* scope = innermost_; scope != nullptr; scope = scope->outer_) {
            scope->watch_ = nullptr;
        }
    }

    class Scope {
    public:
        explicit Scope(LifeWatch& watch) : watch_(&watch), outer_(watch.innermost_) { watch.innermost_ = this; }
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;
        ~Scope() {
            if (watch_ != nullptr) {
                watch_->innermost_ = outer_;
            }
        }
        [[nodiscard]] bool gone() const { return watch_ == nullptr; }

    private:
        friend class LifeWatch;
        LifeWatch* watch_;
        Scope* outer_;
    };

private:
    Scope* innermost_ = nullptr;
};

}  // namespace agentlocator
