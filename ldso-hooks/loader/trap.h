// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A system call that the filter sent to the SIGSYS handler, with the program's registers as they
// were at its syscall instruction. What the handler leaves in them is what the program goes on
// with. All signals are blocked meanwhile. Async-signal-safe.
#pragma once

#include <signal.h>
#include <ucontext.h>

#include "ldso-hooks/loader/signals.h"

namespace plash::loader {

class Trap {
 public:
  Trap(long number, ucontext_t &context) noexcept : context_(context), number_(number) {}

  long number() const noexcept { return number_; }
  long argument(int index) const noexcept {
    constexpr int registers[] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};
    return context_.uc_mcontext.gregs[registers[index]];
  }
  template <class T>
  T *pointer(int index) const noexcept {
    return reinterpret_cast<T *>(argument(index));
  }

  // The call's result, or -errno.
  void answer(long result) noexcept { context_.uc_mcontext.gregs[REG_RAX] = result; }

  // The signals that the program has blocked; they are blocked again when the handler returns.
  SignalSet &mask() const noexcept { return *reinterpret_cast<SignalSet *>(&context_.uc_sigmask); }

  // The thread's alternate signal stack.
  const stack_t &alternate_stack() const noexcept { return context_.uc_stack; }

  unsigned long stack_pointer() const noexcept {
    return static_cast<unsigned long>(context_.uc_mcontext.gregs[REG_RSP]);
  }

  // Makes the program execute its own syscall instruction again, this time past the filter:
  // blocking, interruption and cancellation are then the kernel's own. For calls whose first
  // argument is a descriptor: the kernel looks at the lower half of that register alone, the filter
  // at the upper one (passed_mark).
  void call_natively() noexcept;

  // Makes the program make the call from the loader's text, with the argument index pointing to
  // mask on its stack; or, wrapped, to pselect6(2)'s pair of pointer and size. Its handlers run as
  // they would have, and the register is put back afterwards.
  void call_with_mask(int index, SignalSet mask, bool wrapped) noexcept;

  // After the answer has been given, makes the program call sigaltstack(2) with stack before it
  // goes on, and then munmap(2) (size 0: unmaps nothing). Neither can be done while the handler may
  // be running on the stack in question.
  void change_alternate_stack(const stack_t &stack, void *unmapped,
                              unsigned long unmapped_size) noexcept;

  // Makes the program call clone(2) from the loader's text; the child's first act is to have no
  // alternate signal stack. It starts at return_slot, the top word of its stack, into which this
  // puts where it goes on. False where that cannot be written.
  bool clone_without_alternate_stack(long *return_slot) noexcept;

  // Makes the program go on at address instead, with the stack pointer it had.
  void go_to(void (*address)()) noexcept {
    context_.uc_mcontext.gregs[REG_RIP] = reinterpret_cast<long>(address);
  }

 private:
  unsigned long free_stack() const noexcept;

  ucontext_t &context_;
  long number_;
};

// The context of the trapped call that this thread is serving, or null. Found by the chain of frame
// pointers: there is no thread-local storage to keep it in.
ucontext_t *current_context() noexcept;

// Upper half of the first argument of a call that has been through the handler.
constexpr unsigned passed_mark = 0x506c7368;

// Installs the SIGSYS handler. Before the filter; once in each image. 0 or -errno.
long install_trap_handler() noexcept;

}  // namespace plash::loader
