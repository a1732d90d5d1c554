// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <signal.h>
#include <spawn.h>

namespace plash::preload {

// Bit n-1 stands for signal n, as in the kernel's sigset_t.
using KernelSignalSet = unsigned long;

// What a spawned child is to do. Child and parent share it, and all memory, until the child has
// executed the file or given up; error is how the child says why.
struct SpawnRequest {
  const char *file;
  bool search_path;
  const posix_spawn_file_actions_t *actions;  // null: none
  char *const *argv;
  char *const *envp;
  // The attributes.
  int flags;
  pid_t group;
  int policy;
  sched_param parameters;
  KernelSignalSet signals_to_default;
  KernelSignalSet signal_mask;  // that the new program starts with
  int error;
};

// clone(2)'s function. Calls nothing that needs libc's state: no allocation, no errno.
int run_spawned_child(void *request);

}  // namespace plash::preload
