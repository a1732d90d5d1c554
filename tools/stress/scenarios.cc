// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The list of scenarios.
#include <string.h>

#include "tools/stress/scenario.h"

namespace plash::stress {
namespace {

// In the order in which they run: what finds a fault soonest comes first.
constexpr Scenario list[] = {
    {"holes", "the lowest descriptor is used, with random holes in the table", run_holes, 1},
    {"limits", "RLIMIT_NOFILE at every value from 0 to enough", run_limits, 0},
    {"faults", "each system call of each call fails in turn with each error", run_faults, 0},
    {"steps", "a handler that makes calls between every two instructions of each call", run_steps,
     0},
    {"timers", "timer signals whose handlers make every call, while all threads do the same",
     run_timers, 12},
    {"jumps", "siglongjmp, thread cancellation, exit and abort out of the middle of a call",
     run_jumps, 1},
    {"processes", "fork, vfork, clone, spawn and exec in mid-call; the server killed",
     run_processes, 1},
};

}  // namespace

std::span<const Scenario> scenarios() noexcept { return list; }

const Scenario *find_scenario(const char *name) noexcept {
  for (const Scenario &scenario : list) {
    if (strcmp(scenario.name, name) == 0) return &scenario;
  }
  return nullptr;
}

}  // namespace plash::stress
