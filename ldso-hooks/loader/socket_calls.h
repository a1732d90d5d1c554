// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which calls on sockets are the engine's: those whose address is a path, or may be given back as
// one. All others are made by the program itself, so that they block and are interrupted as ever.
#pragma once

#include "ldso-hooks/loader/trap.h"

namespace plash::loader {

// Whether the kernel alone is to serve connect(2), bind(2), sendto(2), sendmsg(2), sendmmsg(2),
// accept(2), accept4(2), recvfrom(2), recvmsg(2). Async-signal-safe.
//
// What differs from native: where accept or a receiving call on a Unix-domain socket has to wait,
// the address that it then gives is the name by which the server has bound the peer, not the peer's
// own.
bool kernel_serves_socket_call(const Trap &trap) noexcept;

}  // namespace plash::loader
