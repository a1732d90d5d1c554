// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The calls that are compared everywhere, as commands: of libc, which whatever stands between the
// program and the kernel may intercept, or of the engine.
#pragma once

#include <cstddef>

#include "tools/benchmark/commands.h"

namespace plash::benchmark {

// Each returns as libc's function of that name does, or -errno.
struct PathCalls {
  long (*open)(const char *path, int flags);
  long (*close)(int fd);
  long (*stat)(const char *path);
  long (*access)(const char *path);
  long (*readlink)(const char *path);
  long (*read_directory)(int fd, char *buffer, std::size_t size);
};

extern const PathCalls libc_calls;

// Adds, each answering nanoseconds a call:
//   open|stat|access|readlink|enoent|getdents PATH COUNT   open is open and close; getdents all of
//   it: open, read to the end, close
//   open-alone PATH COUNT   without the close
//   fork COUNT   and wait for the child, which ends at once
//   exec PROGRAM COUNT   in a vfork child, and wait for it
// and
//   throughput PATH THREADS MILLISECONDS   calls of open and close per second, of all threads
void add_path_commands(Commands &commands, const PathCalls &calls);

}  // namespace plash::benchmark
