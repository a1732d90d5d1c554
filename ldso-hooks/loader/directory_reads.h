// SPDX-License-Identifier: LGPL-2.1-or-later
//
// read(2) on a directory must give EISDIR, and a directory descriptor is a socket, on which it
// gives 0. A filter sees only a number, and a trap for every read would cost a microsecond each: so
// reads trap only in processes that have opened a directory as one opens a file, without
// O_DIRECTORY. cat(1) and grep(1) on a directory do; opendir(3) does not. Measured: 0.10 us for a
// read that does not trap, 1.1 for one that does, 20 once for the additional filter.
#pragma once

#include "ldso-hooks/loader/trap.h"

namespace plash::loader {

// Whether descriptor is a directory object's socket. Async-signal-safe.
bool is_directory(int descriptor) noexcept;

// After a successful open(2) with flags: makes reads trap from now on, in all threads and later
// children, if that gave a directory on which the program may mean to call read(2).
// Async-signal-safe.
void watch_reads(int descriptor, unsigned long flags) noexcept;

// read(2), readv(2), pread64(2), preadv(2), preadv2(2): EISDIR, or the kernel's own.
void emulate_read(Trap &trap) noexcept;

}  // namespace plash::loader
