// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/identity.h"

#include <asm/unistd_64.h>
#include <errno.h>

#include "protocol/system_call.h"

namespace plash::loader {

long change_ids(const Trap &trap) noexcept {
  const long result =
      system_call(trap.number(), trap.argument(0), trap.argument(1), trap.argument(2));
  // -1 is no ID anywhere; the others take it for "as it is".
  const bool no_id = (trap.number() == __NR_setuid || trap.number() == __NR_setgid) &&
                     static_cast<int>(trap.argument(0)) == -1;
  return result == -EINVAL && !no_id ? -EPERM : result;
}

}  // namespace plash::loader
