// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/trap.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <linux/audit.h>

#include "ldso-hooks/loader/dispatch.h"
#include "ldso-hooks/loader/filter.h"
#include "ldso-hooks/loader/message.h"
#include "ldso-hooks/loader/scratch_stack.h"
#include "ldso-hooks/loader/sigsys_action.h"
#include "ldso-hooks/loader/verdict.h"
#include "protocol/system_call.h"

namespace plash::loader {

extern "C" {
// SA_RESTORER: the kernel returns from a handler to here. In the loader's text, where rt_sigreturn
// passes the filter.
void plash_restore();
}
__asm__(
    ".text\n.hidden plash_restore\n.globl plash_restore\n.type plash_restore, "
    "@function\nplash_restore:\n"
    "  mov $15, %eax\n  syscall\n");
static_assert(__NR_rt_sigreturn == 15);

namespace {

constexpr unsigned long restorer_flag = 0x04000000;  // SA_RESTORER
constexpr unsigned x32_bit = 0x40000000;

void on_sigsys(int, siginfo_t *information, void *raw_context) {
  auto &context = *static_cast<ucontext_t *>(raw_context);
  Trap trap(information->si_syscall, context);
  if (information->si_code != sigsys_by_filter || information->si_errno != filter_mark) {
    if (information->si_code != sigsys_by_filter || !answers_question(trap, *information)) {
      deliver_sigsys(trap, *information, raw_context);
    }
  } else if (information->si_arch != AUDIT_ARCH_X86_64 ||
             (static_cast<unsigned>(information->si_syscall) & x32_bit) != 0) {
    say_once(
        "a program made a 32-bit or x32 system call: refused, only the 64-bit interface is served");
    trap.answer(-ENOSYS);
  } else if (programs_filters_allow(trap, *information, raw_context)) {
    call_with_room([](void *argument) { dispatch(*static_cast<Trap *>(argument)); }, &trap);
  }
  trap.mask() &= ~sigsys_bit;
}

}  // namespace

void set_signal_mask(SignalSet mask) noexcept {
  system_call(__NR_rt_sigprocmask, SIG_SETMASK, as_argument(&mask), 0, signal_set_size);
}

ucontext_t *current_context() noexcept {
  struct Frame {
    Frame *caller;
    void (*return_address)();
  };
  const auto *frame = static_cast<const Frame *>(__builtin_frame_address(0));
  // The kernel makes a handler's frame look like a call from the restorer, with the context behind
  // the return address.
  while (frame != nullptr && frame->return_address != plash_restore) frame = frame->caller;
  return frame != nullptr
             ? reinterpret_cast<ucontext_t *>(reinterpret_cast<unsigned long>(frame + 1))
             : nullptr;
}

void return_from_signal(Trap &trap) noexcept { trap.go_to(plash_restore); }

long install_trap_handler() noexcept {
  // SA_ONSTACK: Go's goroutines have no room for a frame. All signals are blocked meanwhile, so
  // handlers of the program never run on top of a call that is under way, unless it waits for long.
  const KernelAction action{on_sigsys, SA_SIGINFO | SA_ONSTACK | SA_RESTART | restorer_flag,
                            plash_restore, all_signals};
  return system_call(__NR_rt_sigaction, SIGSYS, as_argument(&action), 0, signal_set_size);
}

}  // namespace plash::loader
