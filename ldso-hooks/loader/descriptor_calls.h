// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Calls on descriptors that must leave the service descriptors alone; those that the filter cannot
// answer by itself. Each returns the call's result or -errno. Async-signal-safe.
#pragma once

#include "ldso-hooks/loader/trap.h"

namespace plash::loader {

// close_range(2), as if the range of service descriptors were empty.
long close_range_around_services(const Trap &trap) noexcept;

// setrlimit(2) and prlimit(2) for RLIMIT_NOFILE: the soft limit is the program's, the hard one
// stays above the service descriptors, or chdir(2) could never be served again. (A program that
// lowers the hard limit further reads back that value.)
long set_descriptor_limit(const Trap &trap) noexcept;

}  // namespace plash::loader
