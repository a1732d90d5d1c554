// SPDX-License-Identifier: LGPL-2.1-or-later
//
// usage: bench-probe
//
// Measures libc's calls where it is run: natively, in a sandbox, under any mediator. Knows nothing
// of any of them.
#include "tools/benchmark/path_commands.h"

int main() {
  plash::benchmark::Commands commands;
  plash::benchmark::add_path_commands(commands, plash::benchmark::libc_calls);
  return plash::benchmark::obey(commands);
}
