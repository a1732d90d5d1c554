// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Pseudo-random numbers that a seed repeats (splitmix64, Steele, Lea and Flood 2014).
// Async-signal-safe as long as each context has a generator of its own.
#pragma once

#include <cstdint>

namespace plash::stress {

class Random {
 public:
  explicit Random(std::uint64_t seed = 0) noexcept : state_(seed) {}

  std::uint64_t next() noexcept {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t value = state_;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
  }

  // 0 to limit - 1; limit is not 0.
  std::uint64_t below(std::uint64_t limit) noexcept { return next() % limit; }

 private:
  std::uint64_t state_;
};

}  // namespace plash::stress
