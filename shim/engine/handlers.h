// SPDX-License-Identifier: LGPL-2.1-or-later
//
// emulate_NAME for each EMULATED row of syscalls.def. Each returns the system call's result or
// -errno, leaves no descriptor open when it fails, and is async-signal-safe.
#pragma once

#include "shim/engine/location.h"

namespace plash::engine {

#define PLASH_DECLARE_EMULATED(name) long emulate_##name(const Arguments &arguments) noexcept;
#define PLASH_DECLARE_LOCAL(name)
#define PLASH_DECLARE_PASSED(name)
#define PLASH_DECLARE_DENIED(error) PLASH_DECLARE_NOTHING
#define PLASH_DECLARE_NOTHING(name)
#define PLASH_SYSCALL(name, treatment) PLASH_DECLARE_##treatment(name)
#include "shim/engine/syscalls.def"
#undef PLASH_DECLARE_EMULATED
#undef PLASH_DECLARE_LOCAL
#undef PLASH_DECLARE_PASSED
#undef PLASH_DECLARE_DENIED
#undef PLASH_DECLARE_NOTHING

// The kernel's own call.
long call_kernel(long number, const Arguments &arguments) noexcept;

}  // namespace plash::engine
