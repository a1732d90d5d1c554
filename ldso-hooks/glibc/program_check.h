// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which programs this door can start: those for whose dynamic loader the rebuilt one stands, and
// those that were linked with the rebuilt libc.a. Any other would run without the door, and find no
// file at all.
#pragma once

#include "protocol/marshal.h"

namespace plash::glibc {

// A Hooks::check_program: 0, or -ELIBACC having said on standard error what was refused and why.
// What is no program at all is the kernel's to refuse. Async-signal-safe.
long check_program(int file, const Bytes &interpreter, const Bytes &path) noexcept;

}  // namespace plash::glibc
