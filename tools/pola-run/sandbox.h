// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Making a sandbox: a process behind the walls, which becomes its first.
#pragma once

#include <sys/types.h>

#include <optional>

#include "tools/pola-run/isolation.h"
#include "tools/pola-run/program.h"
#include "tools/support/unique_fd.h"

namespace plash::pola_run {

struct Sandbox {
  pid_t first_process;  // a child of the caller
  UniqueFd control;     // see control.h
  SandboxMounts mounts;
};

// Forks a process that isolates itself and runs the program, if that starts; returns when all walls
// are up. To be called while there is one thread, with every signal that is not fatal blocked.
// isolation: nothing for no walls at all. terminal, foreground: as run_init(). Throws Error
// (failure); then nothing of the program was run, and no process is left.
Sandbox fork_sandbox(Program &program, const std::optional<IsolationSettings> &isolation,
                     int terminal, bool foreground);

}  // namespace plash::pola_run
