// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/wait.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <poll.h>

#include "ldso-hooks/loader/trap.h"
#include "protocol/system_call.h"

namespace plash::loader {

long wait_for_reply(int reply_socket) noexcept {
  const ucontext_t *context = current_context();
  SignalSet mask = 0;
  if (context != nullptr)
    mask = *reinterpret_cast<const SignalSet *>(&context->uc_sigmask) & ~sigsys_bit;
  pollfd readable{reply_socket, POLLIN, 0};
  const long result = system_call(__NR_ppoll, as_argument(&readable), 1, 0,
                                  context != nullptr ? as_argument(&mask) : 0, signal_set_size);
  return result == -EINTR ? -EINTR : 0;
}

}  // namespace plash::loader
