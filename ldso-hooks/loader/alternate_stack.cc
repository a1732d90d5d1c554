// SPDX-License-Identifier: LGPL-2.1-or-later
#include <asm/unistd_64.h>
#include <errno.h>
#include <sys/mman.h>

#include "ldso-hooks/loader/signal_calls.h"
#include "ldso-hooks/loader/user_memory.h"
#include "protocol/system_call.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

namespace plash::loader {
namespace {

constexpr unsigned long page_size = 4096;
constexpr unsigned long smallest_stack = 2048;  // MINSIGSTKSZ of the kernel
constexpr unsigned long handler_size =
    4096;  // our handler with the engine beneath it, and a margin
// A stack from this size on is taken to be made for handlers that make calls.
constexpr unsigned long ample_stack = 32 * 1024;

unsigned long signal_frame_size = smallest_stack;

// At the start of a stack that stands for one of the program's.
struct Substitute {
  unsigned long magic;
  unsigned long mapped_size;
  stack_t requested;
};
constexpr unsigned long substitute_magic = 0x4b43415453534c50;  // "PLSSTACK"

// The substitute whose stack this is, or null.
Substitute *substitute_of(const stack_t &stack) noexcept {
  const auto address = reinterpret_cast<unsigned long>(stack.ss_sp);
  if (stack.ss_size == 0 || address % page_size != sizeof(Substitute)) return nullptr;
  auto *found = reinterpret_cast<Substitute *>(address - sizeof(Substitute));
  Substitute copy;
  if (!copy_in(copy, found) || copy.magic != substitute_magic ||
      copy.mapped_size != stack.ss_size + sizeof(Substitute)) {
    return nullptr;
  }
  return found;
}

bool on_stack(const stack_t &stack, unsigned long stack_pointer) noexcept {
  const auto base = reinterpret_cast<unsigned long>(stack.ss_sp);
  if ((static_cast<unsigned>(stack.ss_flags) & SS_AUTODISARM) != 0) return false;
  return stack_pointer > base && stack_pointer - base <= stack.ss_size;
}

// Makes stack one with room for our frame. 0 or -ENOMEM.
long enlarge(stack_t &stack) noexcept {
  const unsigned long size =
      (stack.ss_size + signal_frame_size + handler_size + sizeof(Substitute) + page_size - 1) &
      ~(page_size - 1);
  const long result = system_call(__NR_mmap, 0, static_cast<long>(size), PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (result < 0 && result > -4096) return -ENOMEM;
  auto *substitute = reinterpret_cast<Substitute *>(result);
  *substitute = {substitute_magic, size, stack};
  stack.ss_sp = substitute + 1;
  stack.ss_size = size - sizeof(Substitute);
  return 0;
}

}  // namespace

void set_signal_frame_size(unsigned long size) noexcept {
  if (size > signal_frame_size) signal_frame_size = size;
}

void emulate_sigaltstack(Trap &trap) noexcept {
  const stack_t &current = trap.alternate_stack();
  Substitute *substitute = substitute_of(current);
  const bool busy = on_stack(current, trap.stack_pointer());
  stack_t changed{};
  const auto *wanted = trap.pointer<const stack_t>(0);
  if (wanted != nullptr && !copy_in(changed, wanted)) return trap.answer(-EFAULT);

  stack_t old = substitute != nullptr ? substitute->requested : current;
  if (old.ss_size == 0)
    old.ss_flags = SS_DISABLE;
  else if (busy)
    old.ss_flags |= SS_ONSTACK;

  if (wanted != nullptr) {
    const auto mode = static_cast<unsigned>(changed.ss_flags) & ~SS_AUTODISARM;
    if (busy) return trap.answer(-EPERM);
    if (mode != 0 && mode != SS_DISABLE && mode != SS_ONSTACK) return trap.answer(-EINVAL);
    if (mode == SS_DISABLE) {
      changed.ss_sp = nullptr;
      changed.ss_size = 0;
    } else if (changed.ss_size < smallest_stack) {
      return trap.answer(-ENOMEM);
    } else if (changed.ss_size < ample_stack) {
      if (enlarge(changed) != 0) return trap.answer(-ENOMEM);
    }
  }
  if (trap.argument(1) != 0 && !copy_out(trap.pointer<stack_t>(1), old))
    return trap.answer(-EFAULT);
  trap.answer(0);
  if (wanted == nullptr) return;
  trap.change_alternate_stack(changed, substitute,
                              substitute != nullptr ? substitute->mapped_size : 0);
}

// clone(2) for a child that borrows the caller's memory and has a stack of its own, as
// posix_spawn(3) makes it. Linux lets such a child keep the caller's alternate signal stack. Were
// the caller in a handler on it, our handler for the child's calls, which is not on it, would start
// at its top again, over the caller's frames.
void start_borrower(Trap &trap) noexcept {
  auto *const top = trap.pointer<long>(1);
  if (!trap.clone_without_alternate_stack(top - 1)) trap.answer(-EFAULT);
}

}  // namespace plash::loader
