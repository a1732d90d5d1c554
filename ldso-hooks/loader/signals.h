// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Signal sets and actions as the kernel has them (sigaction(2), "C library/kernel differences"),
// and the set that the loader must keep SIGSYS out of: a trapped call whose SIGSYS is blocked or
// ignored is the end of the process (seccomp(2)).
#pragma once

#include <signal.h>

#include <cstdint>

namespace plash::loader {

using SignalSet = std::uint64_t;
constexpr unsigned long signal_set_size = sizeof(SignalSet);
constexpr SignalSet sigsys_bit = SignalSet{1} << (SIGSYS - 1);
constexpr int sigsys_by_filter =
    1;  // si_code SYS_SECCOMP of asm-generic/siginfo.h, which libc's headers leave out
constexpr SignalSet all_signals = ~SignalSet{0};

struct KernelAction {
  void (*handler)(int, siginfo_t *, void *);  // or SIG_DFL, SIG_IGN
  unsigned long flags;
  void (*restorer)();
  SignalSet mask;
};

// rt_sigprocmask(2) with SIG_SETMASK. Async-signal-safe.
void set_signal_mask(SignalSet mask) noexcept;

}  // namespace plash::loader
