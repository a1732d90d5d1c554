// SPDX-License-Identifier: LGPL-2.1-or-later
//
// read(2) on a directory must give EISDIR and write(2) EBADF, and a directory descriptor is a
// socket, on which they give 0 and send something. A filter sees only a number, and a trap for
// every read and write would cost a microsecond each: so they trap only in processes that have
// opened a directory otherwise than opendir(3) and its like do, which give both O_DIRECTORY and
// O_CLOEXEC. cat(1) and grep(1) on a directory do. Measured: 0.10 us for a read that does not trap,
// 1.1 for one that does, 20 once for the additional filter.
#pragma once

#include "ldso-hooks/loader/trap.h"

namespace plash::loader {

// Whether descriptor is a directory object's socket. Async-signal-safe.
bool is_directory(int descriptor) noexcept;

// After a successful open(2) with flags: makes reads and writes trap from now on, in all threads
// and later children, if that gave a directory on which the program may mean to call read(2).
// Async-signal-safe.
void watch_transfers(int descriptor, unsigned long flags) noexcept;

// read(2), write(2) and their relatives: EISDIR or EBADF, or the kernel's own.
void emulate_transfer(Trap &trap, bool writes) noexcept;

}  // namespace plash::loader
