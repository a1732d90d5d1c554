// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The program's own action for SIGSYS, which the kernel cannot hold since the handler there is
// ours. Lives in memory: as with the kernel's, fork copies it and exec resets a handler; an ignored
// SIGSYS goes to the next image in its message.
#pragma once

#include "ldso-hooks/loader/trap.h"

namespace plash::loader {

// rt_sigaction(2) for SIGSYS. action, old: null or the program's pointers, checked here. 0,
// -EFAULT.
long change_sigsys_action(const KernelAction *action, KernelAction *old) noexcept;

bool sigsys_ignored() noexcept;
void ignore_sigsys() noexcept;

// A SIGSYS that is not from our filter: from kill(2), from a filter of the program's own. Calls the
// program's handler, dies of it, or ignores it, as the action says.
void deliver_sigsys(Trap &trap, siginfo_t &information, void *context) noexcept;

}  // namespace plash::loader
