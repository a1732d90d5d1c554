// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The terminal of the process's session, which the kernel finds and gives by the path that is
// opened: the path of the server's opening, here. Async-signal-safe.
#pragma once

#include "protocol/marshal.h"

namespace plash::engine {

// What open(2) does to a session besides: a terminal becomes that of its leader. descriptor: what
// path and flags have opened.
void take_terminal(int descriptor, const Bytes &path, std::uint64_t flags) noexcept;

// What opening /dev/tty with flags gives to this process, opened being what the server has given:
// the sandbox's terminal or -errno.
long own_terminal(long opened, std::uint64_t flags) noexcept;

}  // namespace plash::engine
