// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Runs one scenario in a worker of its own and watches over it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tools/stress/board.h"
#include "tools/stress/scenario.h"

namespace plash::stress {

struct LaunchOptions {
  Door door = Door::preload;
  std::uint64_t seed = 0;
  unsigned threads = 4;
  unsigned rate = 0;
};

struct WindowHits {
  std::string name;
  std::uint64_t hits;
};

// What came of a scenario.
struct Outcome {
  std::string scenario;
  double seconds = 0;
  std::uint64_t calls = 0;
  std::uint64_t signals = 0;
  std::uint64_t in_flight = 0;  // signals that came in the middle of a call
  std::uint64_t failure_count = 0;
  std::int64_t descriptors_before = 0;
  std::int64_t descriptors_after = 0;
  double worst_milliseconds = 0;
  std::string worst_operation;
  std::vector<WindowHits> windows;
  std::vector<std::string> failures;
  std::vector<std::string> notes;
};

// Why the door cannot be tried here; empty where it can.
std::string why_unavailable(Door door);

// progress(outcome so far) is called about once a second. Throws std::system_error where the worker
// cannot be started at all; everything that goes wrong afterwards is a failure in the outcome.
Outcome run_scenario(const Scenario &scenario, const LaunchOptions &options,
                     std::uint64_t milliseconds,
                     const std::function<void(const Outcome &)> &progress);

const char *name_of(Door door) noexcept;

}  // namespace plash::stress
