// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a seccomp filter of the program's own says to a call that is emulated. Our filter's trap
// outranks an errno or a trap of the program's, so the kernel does not ask: the call is made once
// more for the kernel to ask, from an address that ours lets pass and the program's does not, with
// a path at an address that cannot be read. EFAULT means that the filter allowed it.
#pragma once

#include "ldso-hooks/loader/trap.h"

namespace plash::loader {

constexpr unsigned verdict_question =
    0x66696c74;  // at probe_number, answered by what stands in front of the program's filters
constexpr int verdict_answer = 0x5a7;

// The address behind the instruction that asks.
unsigned long asking_address() noexcept;

// Looks whether the program's filters are inherited from an earlier image. Once, at start.
void find_programs_filters() noexcept;
// From now on there are.
void note_programs_filter() noexcept;

// Gives a trapped call to the program's filters. True: they allowed it, or there are none, or it
// has no path. False: the call has been answered.
bool programs_filters_allow(Trap &trap, siginfo_t &information, void *context) noexcept;

// To the SIGSYS handler: whether a signal that is not from our filter came of asking, and belongs
// to the call above.
bool answers_question(Trap &trap, const siginfo_t &information) noexcept;

}  // namespace plash::loader
