// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Visits every system call that a stretch of code makes, by syscall user dispatch (prctl(2),
// PR_SET_SYSCALL_USER_DISPATCH): much faster than single-stepping to them, and as little in need of
// a tracer.
#pragma once

#include "tools/stress/stepper.h"

namespace plash::stress {

// Runs function(argument) with visitor(step, data) before and behind every system call
// (Step::address is the one behind it); other instructions are not visited. One thread at a time;
// installs a handler for SIGSYS meanwhile. A system call that runs_in_place() ends the visits.
// False, and function is not run, where the kernel does not have it.
bool intercept(void (*function)(void *), void *argument, Visitor visitor, void *data);

}  // namespace plash::stress
