// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The sandbox's first process: PID 1 of its PID namespace. Starts the program, passes signals on to
// it, reaps whatever is orphaned, and reports to pola-run. When it ends, the kernel ends all that
// is left.
#pragma once

#include "tools/pola-run/program.h"

namespace plash::pola_run {

// control: the sandbox's end of the control socket. terminal: the controlling terminal, of the
// caller's session or to be of the sandbox's own (program.own_session), or -1.
// foreground: give the program the terminal at once. Every signal must be blocked. Goes on without
// pola-run when that is killed.
[[noreturn]] void run_init(Program &program, int control, int terminal, bool foreground);

}  // namespace plash::pola_run
