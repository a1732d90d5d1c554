// SPDX-License-Identifier: LGPL-2.1-or-later
//
// usage: client FILE
//
// A program with the engine linked into it: prints FILE, which it opens through the server that
// PLASH_CAPS names. Built against the installed headers and archive alone.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "protocol/call.h"
#include "shim/engine/engine.h"

static_assert(plash::methods::Ping::code != 0);

int main(int count, char **values) {
  if (count != 2) return 2;
  plash_setup(environ, false);
  const long file =
      plash_syscall(SYS_open, reinterpret_cast<long>(values[1]), O_RDONLY, 0, 0, 0, 0);
  if (file < 0) {
    std::printf("client: %s\n", std::strerror(static_cast<int>(-file)));
    return 1;
  }
  char text[4096];
  const ssize_t size = ::read(static_cast<int>(file), text, sizeof text);
  return size >= 0 && ::write(STDOUT_FILENO, text, static_cast<size_t>(size)) == size ? 0 : 1;
}
