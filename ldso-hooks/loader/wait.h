// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Waiting for a call that may take long (opening a FIFO): the program's handlers must run
// meanwhile.
#pragma once

namespace plash::loader {

// Call.wait of protocol/call.h: waits until reply_socket can be read, with the signals unblocked
// that the program has unblocked. 0, or -EINTR when a handler of the program was run whose
// disposition lacks SA_RESTART: the wait is a call that the kernel restarts, as the program's own
// would have been.
// Async-signal-safe.
long wait_for_reply(int reply_socket) noexcept;

}  // namespace plash::loader
