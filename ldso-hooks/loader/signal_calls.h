// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The program's signal calls, done so that SIGSYS stays unblocked and ours. Each takes a trapped
// call and gives its answer. Async-signal-safe.
//
// What differs from native: a program that blocks SIGSYS reads back a mask without it, and a SIGSYS
// that somebody sends it meanwhile is not held back.
#pragma once

#include "ldso-hooks/loader/trap.h"

namespace plash::loader {

// rt_sigprocmask(2): changes the mask that the return from our own handler puts in place; a real
// call would be undone by that.
void emulate_sigprocmask(Trap &trap) noexcept;

// rt_sigaction(2): SIGSYS is kept in memory (sigsys_action.h); every other action is set with
// SIGSYS out of its mask, which is also what keeps posix_spawn(3) children alive.
void emulate_sigaction(Trap &trap) noexcept;

// rt_sigsuspend(2), ppoll(2), pselect6(2), epoll_pwait(2), epoll_pwait2(2), io_pgetevents(2) with a
// mask: made again by the program itself with a clean copy of it, so that its handlers run as they
// would and waiting can be interrupted.
void emulate_masked_wait(Trap &trap) noexcept;

// rt_sigreturn(2) from a handler of the program: cleans the mask in the frame, then lets the kernel
// return through it.
void emulate_sigreturn(Trap &trap) noexcept;

// sigaltstack(2): made by the program itself once our own handler, which may run on the old stack,
// has returned. A stack too small for a handler of the program with our own frame on top of it is
// replaced by a larger one; the program reads back what it had set.
void emulate_sigaltstack(Trap &trap) noexcept;

// clone(2) of a child that borrows the caller's memory and has a stack of its own: made by the
// program itself, and the child gives up the alternate stack, on which the caller may be.
void start_borrower(Trap &trap) noexcept;

// What emulate_sigaltstack() goes by: the size of a signal frame (AT_MINSIGSTKSZ). Once, at start.
void set_signal_frame_size(unsigned long size) noexcept;

}  // namespace plash::loader
