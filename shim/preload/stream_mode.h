// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fopen(3)'s mode.
#pragma once

#include <fcntl.h>
#include <string.h>

namespace plash::preload {

// The open flags that a mode asks for; -1 where it begins with none of r, w, a.
inline int stream_open_flags(const char *mode) noexcept {
  int access = O_RDONLY;
  int flags = 0;
  switch (*mode) {
    case 'r':
      break;
    case 'w':
      access = O_WRONLY;
      flags = O_CREAT | O_TRUNC;
      break;
    case 'a':
      access = O_WRONLY;
      flags = O_CREAT | O_APPEND;
      break;
    default:
      return -1;
  }
  // As glibc: seven characters count at most, and none after the comma of ",ccs=".
  for (int i = 1; i < 7 && mode[i] != '\0' && mode[i] != ','; ++i) {
    if (mode[i] == '+') access = O_RDWR;
    if (mode[i] == 'x') flags |= O_EXCL;
    if (mode[i] == 'e') flags |= O_CLOEXEC;
  }
  return access | flags;
}

// ",ccs=CHARSET": a stream with a conversion, which only libc's own fopen() can make.
inline bool has_conversion(const char *mode) noexcept { return strstr(mode, ",ccs=") != nullptr; }

}  // namespace plash::preload
