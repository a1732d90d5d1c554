// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pola-run while the program runs: passes signals on, stops and continues with it, and ends as it does.
#pragma once

#include <signal.h>

#include <string>

#include "tools/pola-run/sandbox.h"

namespace plash::pola_run {

// The signals that supervise() takes care of: all that can be blocked but those of faults. To be blocked
// before the sandbox is forked.
sigset_t supervised_signals();

// Runs until the program has ended. terminal, foreground: as fork_sandbox(). Returns the program's wait status. Throws Error where the
// program could not be executed (not_found, cannot_execute), or the sandbox died (failure).
int supervise(const Sandbox &sandbox, const std::string &program, int terminal, bool foreground);

// Ends this process as the wait status says: with the same exit status, or by the same signal without dumping core once more.
[[noreturn]] void end_like(int wait_status);

}  // namespace plash::pola_run
