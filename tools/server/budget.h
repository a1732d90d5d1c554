// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A limited quantity that many share, and one holder's share of it.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

namespace plash::server {

class Budget {
 public:
  explicit Budget(std::size_t limit) : limit_(limit) {}

  void set_limit(std::size_t limit) { limit_ = limit; }

  bool take(std::size_t amount) {
    const std::size_t limit = limit_;
    std::size_t used = used_;
    do {
      if (amount > limit || used > limit - amount) return false;
    } while (!used_.compare_exchange_weak(used, used + amount));
    return true;
  }
  void give_back(std::size_t amount) { used_ -= amount; }
  std::size_t used() const { return used_; }

 private:
  std::atomic<std::size_t> limit_;
  std::atomic<std::size_t> used_{0};
};

// Gives back what it took.
class Share {
 public:
  explicit Share(Budget &budget) : budget_(&budget) {}
  Share(Share &&other) noexcept
      : budget_(other.budget_), held_(std::exchange(other.held_, std::size_t{0})) {}
  Share &operator=(Share &&) = delete;
  ~Share() { budget_->give_back(held_); }

  bool grow(std::size_t amount) {
    if (!budget_->take(amount)) return false;
    held_ += amount;
    return true;
  }

 private:
  Budget *budget_;
  std::size_t held_ = 0;
};

}  // namespace plash::server
