// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The system calls that the user-notification supervisor carries out for the program.
#pragma once

#include <linux/seccomp.h>
#include <sys/types.h>

#include <cstddef>
#include <optional>

#include "tools/support/unique_fd.h"

namespace plash::benchmark {

// What becomes of a call: done by the kernel after all, a new descriptor, or a result (-errno).
struct Outcome {
  bool kernel = false;
  UniqueFd descriptor;
  bool close_on_exec = false;
  long result = 0;
};

// System call numbers that are to be notified.
extern const int notified_calls[];
extern const std::size_t notified_call_count;

// Carries out the call. Opens block the calling thread as they would the program.
Outcome carry_out(int listener, const seccomp_notif &notification);

}  // namespace plash::benchmark
