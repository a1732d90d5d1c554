// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Medians and percentiles of measured times.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace plash::benchmark {

class Samples {
 public:
  void add(std::chrono::nanoseconds time) {
    times_.push_back(static_cast<double>(time.count()) / 1000);
  }
  double median() { return at(0.5); }
  double p99() { return at(0.99); }

 private:
  // Microseconds.
  double at(double fraction) {
    if (times_.empty()) return 0;
    const auto index =
        static_cast<std::ptrdiff_t>(fraction * static_cast<double>(times_.size() - 1));
    std::nth_element(times_.begin(), times_.begin() + index, times_.end());
    return times_[static_cast<std::size_t>(index)];
  }
  std::vector<double> times_;
};

}  // namespace plash::benchmark
