// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/wait.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <sys/socket.h>

#include "ldso-hooks/loader/trap.h"
#include "protocol/system_call.h"

namespace plash::loader {

long wait_for_reply(int reply_socket) noexcept {
  const ucontext_t *context = current_context();
  if (context != nullptr)
    set_signal_mask(*reinterpret_cast<const SignalSet *>(&context->uc_sigmask) & ~sigsys_bit);
  char byte;
  const long result =
      system_call(__NR_recvfrom, reply_socket, as_argument(&byte), sizeof byte, MSG_PEEK, 0, 0);
  if (context != nullptr) set_signal_mask(all_signals);
  return result == -EINTR ? -EINTR : 0;
}

}  // namespace plash::loader
