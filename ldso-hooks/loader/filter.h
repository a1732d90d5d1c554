// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The seccomp filter: which system calls of the program go to the SIGSYS handler. No security
// boundary (anything can jump into the loader's text): that the kernel-visible root is empty is. It
// is installed once, by the first image of a sandbox, and outlives fork and exec.
//
// The number is looked at first and the instruction pointer last, and only for calls that trap, so
// that the kernel's cache of always allowed numbers (seccomp_cache_prepare) covers all plain ones:
// they cost nothing.
#pragma once

#include <linux/filter.h>

namespace plash::loader {

constexpr int filter_mark = 0x5053;  // si_errno of our traps

// A number that no kernel uses: a filter answers it, given its question, with its own errno, ENOSYS
// otherwise.
constexpr int probe_number = 400;

// Whether this process runs under the filter. Async-signal-safe.
bool filter_installed() noexcept;

// Sets no_new_privs and installs the filter for this thread. 0 or -errno: EINVAL and ENOSYS where
// the kernel has no seccomp filters. Before there are threads.
long install_filter() noexcept;

}  // namespace plash::loader
