// SPDX-License-Identifier: LGPL-2.1-or-later
//
// ptrace(PTRACE_TRACEME) in a child that borrows its parent's memory, as gdb's does. From then on
// each signal stops the child until its tracer goes on, and the tracer is the parent, which waits
// in vfork(2) for the child to execute a program: the next trapped call would be the end of both.
// So it is put off until that execution, which is the first thing that the tracer sees natively
// too.
#pragma once

namespace plash::loader {

// ptrace(2) with PTRACE_TRACEME: its result, or 0 where it was put off. Async-signal-safe.
long trace_me() noexcept;

// Does what this process has put off, if it has. Right before the program is executed.
void trace_me_now() noexcept;

}  // namespace plash::loader
