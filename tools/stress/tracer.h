// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Visiting from outside, by ptrace(2), what no handler of the program can see: the loader door
// serves calls in a SIGSYS handler with all signals blocked. A child does the work; its parent, in
// the same sandbox, traces it.
#pragma once

#include <cstdint>

#include "tools/stress/stepper.h"
#include "tools/stress/subject.h"

namespace plash::stress {

// Returns, behind a system call, whether more of them are to be visited.
using RemoteVisitor = bool (*)(Step &step, const Subject &subject, void *data);

// Runs function(argument) in a child of fork(2); returns its wait status. On either side of each
// system call that the child makes between begin_visits() and end_visits(), those that are made in
// signal handlers included, visitor(step, subject, data) is called in the calling process: what
// child and visitor share must be mapped shared. Throws std::system_error.
int run_traced(void (*function)(void *), void *argument, RemoteVisitor visitor, void *data);

// The same, with the signal sent to the child between every two instructions at addresses from
// begin to end. The handler that the child has installed must call note_interruption() first, and
// leave_handler() at its end; data is where the two share what they know. points: how many.
struct Interruptions {
  std::uint64_t points;
  std::uint64_t handled;
  std::uint64_t instruction_pointer;
  std::uint64_t stack_pointer;
};
int run_interrupted_by_tracer(void (*function)(void *), void *argument, int signal,
                              std::uint64_t begin, std::uint64_t end, Interruptions &data);
void note_interruption(Interruptions &data, const void *context) noexcept;
void leave_handler() noexcept;

// In the child. Async-signal-safe.
void begin_visits() noexcept;
void end_visits() noexcept;

// Memory that a child of fork(2) shares, all zero. Throws std::system_error.
void *shared_memory(std::size_t size);

}  // namespace plash::stress
