// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/sigsys_action.h"

#include <asm/unistd_64.h>
#include <errno.h>

#include "ldso-hooks/loader/user_memory.h"
#include "protocol/system_call.h"

namespace plash::loader {
namespace {

KernelAction program_action;  // zero: SIG_DFL

using Handler = void (*)(int, siginfo_t *, void *);
Handler ignore() noexcept { return reinterpret_cast<Handler>(1); }

[[noreturn]] void die_of_sigsys() noexcept {
  const KernelAction standard{};
  system_call(__NR_rt_sigaction, SIGSYS, as_argument(&standard), 0, signal_set_size);
  const SignalSet set = sigsys_bit;
  system_call(__NR_rt_sigprocmask, SIG_UNBLOCK, as_argument(&set), 0, signal_set_size);
  for (;;) system_call(__NR_tgkill, system_call(__NR_getpid), system_call(__NR_gettid), SIGSYS);
}

}  // namespace

long change_sigsys_action(const KernelAction *action, KernelAction *old) noexcept {
  KernelAction changed;
  if (action != nullptr && !copy_in(changed, action)) return -EFAULT;
  if (old != nullptr && !copy_out(old, program_action)) return -EFAULT;
  if (action != nullptr) program_action = changed;
  return 0;
}

bool sigsys_ignored() noexcept { return program_action.handler == ignore(); }
void ignore_sigsys() noexcept { program_action.handler = ignore(); }

void deliver_sigsys(Trap &trap, siginfo_t &information, void *context) noexcept {
  const KernelAction action = program_action;
  // A signal that the kernel forces, as a filter's is, kills where it would be ignored.
  if (action.handler == ignore() && information.si_code == sigsys_by_filter) die_of_sigsys();
  if (action.handler == ignore()) return;
  if (action.handler == nullptr) die_of_sigsys();
  if ((action.flags & SA_RESETHAND) != 0) program_action.handler = nullptr;
  set_signal_mask((trap.mask() | action.mask) & ~sigsys_bit);
  action.handler(SIGSYS, &information, context);
  set_signal_mask(all_signals);
}

}  // namespace plash::loader
