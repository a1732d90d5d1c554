// SPDX-License-Identifier: LGPL-2.1-or-later
#include <asm/unistd_64.h>
#include <errno.h>

#include "ldso-hooks/loader/signal_calls.h"
#include "ldso-hooks/loader/sigsys_action.h"
#include "ldso-hooks/loader/user_memory.h"
#include "protocol/system_call.h"

namespace plash::loader {

void emulate_sigaction(Trap &trap) noexcept {
  if (static_cast<unsigned long>(trap.argument(3)) != signal_set_size) return trap.answer(-EINVAL);
  const auto *action = trap.pointer<const KernelAction>(1);
  auto *old = trap.pointer<KernelAction>(2);
  if (static_cast<int>(trap.argument(0)) == SIGSYS)
    return trap.answer(change_sigsys_action(action, old));
  KernelAction clean;
  if (action != nullptr) {
    if (!copy_in(clean, action)) return trap.answer(-EFAULT);
    clean.mask &= ~sigsys_bit;
    action = &clean;
  }
  trap.answer(system_call(__NR_rt_sigaction, trap.argument(0), as_argument(action),
                          as_argument(old), signal_set_size));
}

}  // namespace plash::loader
