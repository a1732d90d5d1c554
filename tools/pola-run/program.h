// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The program: what it is given, and its execution through the file server.
#pragma once

#include <signal.h>

#include <functional>
#include <string>
#include <vector>

#include "tools/pola-run/door.h"
#include "tools/pola-run/environment.h"

namespace plash::pola_run {

// Where the program finds its services (PLASH_CAPS).
constexpr int fs_op_descriptor = 1020;
constexpr int cwd_descriptor = 1022;

struct Program {
  std::string name;                    // a path in the sandbox, or a name to look up in PATH
  std::vector<std::string> arguments;  // argv[0] first
  Environment environment;             // all but PLASH_CAPS
  int fs_op = -1;                      // client's ends, borrowed
  int cwd = -1;                        // -1: none
  int loader = -1;                     // what starts the program in the kernel's place; -1: nothing
  ProgramCheck program_check = nullptr;  // of the door
  std::vector<int> descriptors;          // open descriptors that it gets, under the same numbers
  sigset_t signal_mask = {};
  bool child_signal_ignored = false;  // SIGCHLD, by pola-run's caller

  bool own_session = false;                    // and not its caller's
  std::vector<int> terminal_descriptors = {};  // those that are to be the sandbox's own terminal
  bool starts = true;  // false: the walls are put up, and nothing is run (--explain)

  // Puts up the walls that the sandbox's first process stays outside of; throws Error. Empty: there
  // are none, all stand around both.
  std::function<void()> enter_walls = {};
};

// Gives this process the program's descriptors, signal mask and environment and executes it.
// Returns only on failure, the errno of the execution: ENOENT or ENOTDIR where it was not found.
int execute(Program &program);

}  // namespace plash::pola_run
