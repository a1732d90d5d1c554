// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/stat.h>

#include "shim/preload/wrap.h"

namespace plash::preload {

// Whether fd, to the kernel a socket, is a directory. Without cost for anything but sockets, and
// with little for those: nothing is sent. Async-signal-safe.
inline bool is_directory_descriptor(int fd) noexcept {
  struct stat status;
  if (system_call(SYS_fstat, fd, as_argument(&status)) != 0 || !S_ISSOCK(status.st_mode)) {
    return false;
  }
  return call(SYS_fstat, fd, &status) == 0 && S_ISDIR(status.st_mode);
}

}  // namespace plash::preload
