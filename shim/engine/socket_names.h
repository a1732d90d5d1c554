// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Names of Unix-domain sockets, for the engine and for doors that let the kernel do the waiting.
// Async-signal-safe.
#pragma once

#include <sys/socket.h>

#include "protocol/marshal.h"

namespace plash::engine {

// False for other sockets, and for what is none.
bool is_unix_socket(long descriptor) noexcept;

// The path in a Unix-domain address; false for every other kind, abstract and unnamed ones
// included.
bool find_path(const sockaddr *address, std::uint64_t size, Bytes &path) noexcept;

// The kernel's name of a socket, of which size bytes were written to address, where room is what
// there was; replaced by the name that was given when it was bound. -errno where it could not be
// asked for.
long restore_name(sockaddr *address, unsigned room, unsigned *size) noexcept;

}  // namespace plash::engine
