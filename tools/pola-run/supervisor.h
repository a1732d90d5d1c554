// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pola-run while the program runs: passes signals on, stops and continues with it, and ends as it
// does.
#pragma once

#include <string>

#include "tools/pola-run/pseudo_terminal.h"
#include "tools/pola-run/sandbox.h"
#include "tools/pola-run/terminal.h"

namespace plash::pola_run {

// Blocks, for this thread and those that it will start, the signals that supervise() takes care of:
// all but those of faults. Notes in program what it is to get back: the mask, and an ignored
// SIGCHLD, with which no child could be waited for.
void take_over_signals(Program &program);

// Runs until the program has ended, and with it the sandbox. Returns the program's wait status.
// Throws Error where the program could not be executed (not_found, cannot_execute). program: its
// name, for the message.
// own: the sandbox's terminal, if it has one of its own; foreground: it has the input at once.
int supervise(const Sandbox &sandbox, const std::string &program, Terminal &terminal,
              PseudoTerminal *own, bool foreground);

// Ends this process as the wait status says: with the same exit status, or by the same signal,
// without dumping core once more.
[[noreturn]] void end_like(int wait_status);

}  // namespace plash::pola_run
