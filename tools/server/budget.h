// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A limited quantity that many share, and one holder's share of it.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

namespace plash::server {

// Where there is an outer budget, what is taken counts there too: a sandbox's budget within the
// server's. Thread-safe.
class Budget {
 public:
  explicit Budget(std::size_t limit, Budget *outer = nullptr) : limit_(limit), outer_(outer) {}
  Budget(const Budget &) = delete;
  Budget &operator=(const Budget &) = delete;

  void set_limit(std::size_t limit) { limit_ = limit; }

  bool take(std::size_t amount) {
    if (!take_here(amount)) return false;
    if (outer_ == nullptr || outer_->take(amount)) return true;
    used_ -= amount;
    return false;
  }
  void give_back(std::size_t amount) {
    used_ -= amount;
    if (outer_ != nullptr) outer_->give_back(amount);
  }
  std::size_t used() const { return used_; }
  // Whether amount would fit here, the outer budget aside.
  bool has_room(std::size_t amount) const {
    const std::size_t limit = limit_;
    return amount <= limit && used_ <= limit - amount;
  }

 private:
  bool take_here(std::size_t amount) {
    const std::size_t limit = limit_;
    std::size_t used = used_;
    do {
      if (amount > limit || used > limit - amount) return false;
    } while (!used_.compare_exchange_weak(used, used + amount));
    return true;
  }

  std::atomic<std::size_t> limit_;
  std::atomic<std::size_t> used_{0};
  Budget *const outer_;
};

// Gives back what it took. The budget outlives it.
class Share {
 public:
  Share() = default;
  explicit Share(Budget &budget) : budget_(&budget) {}
  Share(Share &&other) noexcept
      : budget_(std::exchange(other.budget_, nullptr)),
        held_(std::exchange(other.held_, std::size_t{0})) {}
  Share &operator=(Share &&other) noexcept {
    release();
    budget_ = std::exchange(other.budget_, nullptr);
    held_ = std::exchange(other.held_, std::size_t{0});
    return *this;
  }
  ~Share() { release(); }

  // Without a budget there is nothing to be had.
  bool grow(std::size_t amount) {
    if (budget_ == nullptr || !budget_->take(amount)) return false;
    held_ += amount;
    return true;
  }

 private:
  void release() {
    if (budget_ != nullptr) budget_->give_back(held_);
  }

  Budget *budget_ = nullptr;
  std::size_t held_ = 0;
};

}  // namespace plash::server
