// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What plash-stress prints.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "tools/stress/launch.h"

namespace plash::stress {

// The whole run, with the command that repeats it.
struct Report {
  Door door;
  std::uint64_t seed;
  std::string command;
  std::vector<Outcome> outcomes;
};

bool all_held(const Report &report);

// Windows of the same name added up over the scenarios.
std::vector<WindowHits> total_windows(const Report &report);

void print_table(std::ostream &out, const Report &report);
void print_json(std::ostream &out, const Report &report);

}  // namespace plash::stress
