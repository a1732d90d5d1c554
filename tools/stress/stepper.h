// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Single-stepping from within: with the processor's trap flag set, a SIGTRAP handler runs between
// every two instructions of a stretch of code, as any signal handler could. It needs no tracer, so
// it works in a sandbox, and the handler really is one.
//
// The processor gives no trap directly behind a SYSCALL instruction. The stepper closes that gap:
// it makes the system call itself, with the interrupted registers, and visits the point behind it
// too. System calls that make or replace a process are left to run as they are.
#pragma once

#include <ucontext.h>

#include <cstdint>

namespace plash::stress {

struct Step {
  enum Kind : std::uint8_t {
    instruction,         // before an instruction that is no system call
    before_system_call,  // before one; the visitor may set skip and result
    after_system_call,   // result is its result; the visitor may change it
  };
  Kind kind;
  std::uint64_t address;  // of the instruction; behind a system call, that of the SYSCALL
  long number;            // the system call's
  long arguments[6];
  long result;
  bool skip;
};

using Visitor = void (*)(Step &step, void *data);

// Runs function(argument) with visitor(step, data) at every step. One thread at a time; not from
// handlers. Installs a handler for SIGTRAP, on the alternate stack where there is one. The visitor
// is not itself stepped. A child of fork() that function makes goes on stepped until it executes a
// program.
void step_through(void (*function)(void *), void *argument, Visitor visitor, void *data);

// The system calls that only the interrupted program itself can make: those that make or replace a
// process, and that change what the return from a handler restores.
bool runs_in_place(long number) noexcept;

}  // namespace plash::stress
