// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Seccomp filters that the program installs itself.
#pragma once

#include "ldso-hooks/loader/trap.h"

namespace plash::loader {

// seccomp(SECCOMP_SET_MODE_FILTER) and prctl(PR_SET_SECCOMP): installs the program's filter with
// "the instruction pointer lies in the loader: allow" in front of it, since the loader's own calls
// are not the program's. 0 or more, or -errno. Async-signal-safe. What the filter says to calls
// that are emulated: verdict.h.
long install_programs_filter(const Trap &trap) noexcept;

}  // namespace plash::loader
