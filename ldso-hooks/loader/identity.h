// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "ldso-hooks/loader/trap.h"

namespace plash::loader {

// setuid(2), setgid(2) and their relatives. The sandbox's user namespace may map no IDs but the
// caller's own, which the kernel says by EINVAL; who may not become somebody else gets EPERM
// otherwise. Async-signal-safe.
long change_ids(const Trap &trap) noexcept;

}  // namespace plash::loader
