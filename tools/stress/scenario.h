// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The scenarios: what is done to a program that makes calls.
#pragma once

#include <span>

#include "tools/stress/board.h"

namespace plash::stress {

struct Scenario {
  const char *name;
  const char *summary;
  // Runs in the worker; failures go to the board.
  void (*run)(Board &board);
  // Its share of the time. 0: it is exhaustive, runs to its end and takes what it takes.
  unsigned share;
};

void run_timers(Board &board);
void run_jumps(Board &board);
void run_processes(Board &board);
void run_steps(Board &board);
void run_faults(Board &board);
void run_limits(Board &board);
void run_holes(Board &board);

std::span<const Scenario> scenarios() noexcept;

// Null where there is none of that name.
const Scenario *find_scenario(const char *name) noexcept;

}  // namespace plash::stress
