// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Every emulated system call, once so that it succeeds and once so that it fails, leaving the files
// as they were.
#pragma once

#include <string>
#include <vector>

namespace plash::testing {

struct EveryCall {
  const char *name;
  // The result that the engine gave; descriptors that it gave are closed. Null: cannot fail.
  long (*succeed)();
  long (*fail)();
};

// Made over a directory of World::writable(), through the engine.
const std::vector<EveryCall> &every_call();

}  // namespace plash::testing
