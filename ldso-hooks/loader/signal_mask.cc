// SPDX-License-Identifier: LGPL-2.1-or-later
#include <asm/unistd_64.h>
#include <errno.h>

#include "ldso-hooks/loader/signal_calls.h"
#include "ldso-hooks/loader/user_memory.h"

namespace plash::loader {

void return_from_signal(Trap &trap) noexcept;

namespace {

// pselect6(2) and io_pgetevents(2) pass the mask's address and its size.
struct MaskPointer {
  const SignalSet *mask;
  unsigned long size;
};

// Offset of the mask in the frame of a signal handler: struct ucontext of the kernel
// (asm/ucontext.h) up to uc_sigmask, that is flags, link, stack and sigcontext.
constexpr unsigned long frame_mask_offset = 8 + 8 + 24 + 256;

}  // namespace

void emulate_sigprocmask(Trap &trap) noexcept {
  if (static_cast<unsigned long>(trap.argument(3)) != signal_set_size) return trap.answer(-EINVAL);
  const SignalSet old = trap.mask() & ~sigsys_bit;
  if (trap.argument(1) != 0) {
    SignalSet set;
    if (!copy_in(set, trap.pointer<SignalSet>(1))) return trap.answer(-EFAULT);
    switch (static_cast<int>(trap.argument(0))) {
      case SIG_BLOCK:
        trap.mask() |= set;
        break;
      case SIG_UNBLOCK:
        trap.mask() &= ~set;
        break;
      case SIG_SETMASK:
        trap.mask() = set;
        break;
      default:
        return trap.answer(-EINVAL);
    }
  }
  if (trap.argument(2) != 0 && !copy_out(trap.pointer<SignalSet>(2), old))
    return trap.answer(-EFAULT);
  trap.answer(0);
}

void emulate_masked_wait(Trap &trap) noexcept {
  int index = 0;
  bool wrapped = false;
  switch (trap.number()) {
    case __NR_ppoll:
      index = 3;
      break;
    case __NR_epoll_pwait:
    case __NR_epoll_pwait2:
      index = 4;
      break;
    case __NR_pselect6:
    case __NR_io_pgetevents:
      index = 5;
      wrapped = true;
      break;
    default:  // rt_sigsuspend
      break;
  }
  MaskPointer pointer{};
  if (wrapped) {
    if (!copy_in(pointer, trap.pointer<MaskPointer>(index))) return trap.answer(-EFAULT);
  } else {
    pointer.mask = trap.pointer<SignalSet>(index);
    pointer.size = static_cast<unsigned long>(trap.argument(index + 1));
  }
  if (pointer.mask == nullptr) {
    // Only pselect6's pair can be there without a mask.
    pointer.size = signal_set_size;
  }
  if (pointer.size != signal_set_size) return trap.answer(-EINVAL);
  SignalSet mask = trap.mask();
  if (pointer.mask != nullptr && !copy_in(mask, pointer.mask)) return trap.answer(-EFAULT);
  trap.call_with_mask(index, mask & ~sigsys_bit, wrapped);
}

void emulate_sigreturn(Trap &trap) noexcept {
  auto *mask = reinterpret_cast<SignalSet *>(trap.stack_pointer() + frame_mask_offset);
  // A frame that cannot be read is the kernel's to complain about.
  SignalSet set;
  if (copy_in(set, mask) && (set & sigsys_bit) != 0) *mask = set & ~sigsys_bit;
  return_from_signal(trap);
}

}  // namespace plash::loader
