// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/socket.h>

#include "protocol/packet.h"
#include "shim/preload/wrap.h"

namespace plash::preload {

// Whether fd, to the kernel a socket, is a directory: by the tag that the server has put on it.
// Nothing is sent and no descriptor is needed, so it cannot fail. Async-signal-safe.
inline bool is_directory_descriptor(int fd) noexcept {
  int tag = 0;
  socklen_t size = sizeof tag;
  return !passes_through &&
         system_call(SYS_getsockopt, fd, SOL_SOCKET, SO_RCVLOWAT, as_argument(&tag),
                     as_argument(&size)) == 0 &&
         is_directory_tag(tag);
}

}  // namespace plash::preload
