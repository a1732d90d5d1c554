// SPDX-License-Identifier: LGPL-2.1-or-later
//
// execve(2) in a signal handler of a process whose threads are all in the middle of calls: they end
// there, and the program that takes their place finds nothing but what it should.
#pragma once

#include <cstdint>
#include <string>

#include "tools/stress/board.h"

namespace plash::stress {

void exec_in_handlers(Board &board, std::uint64_t milliseconds);

// What that program does: makes calls and counts descriptors. Its exit status, 0 where all is well.
// object: for Door::call, otherwise -1, and the calls are about the scratch directory.
int run_after_exec(int object, const std::string &directory, int descriptors);

}  // namespace plash::stress
