// SPDX-License-Identifier: LGPL-2.1-or-later
//
// open(2) and relatives.
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "shim/preload/wrap.h"

namespace plash::preload {
namespace {

bool needs_mode(int flags) noexcept {
  return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
}

// The mode is an argument only where the flags say that a file may be created.
#define PLASH_TAKE_MODE(flags)        \
  mode_t mode = 0;                    \
  if (needs_mode(flags)) {            \
    va_list arguments;                \
    va_start(arguments, flags);       \
    mode = va_arg(arguments, mode_t); \
    va_end(arguments);                \
  }

// What the fortified variants, which take no mode, do when one is needed.
void check_no_mode(int flags, const char *message, size_t size) noexcept {
  if (!needs_mode(flags)) return;
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, message, size);
  abort();
}

}  // namespace

PLASH_EXPORT(int, open, const char *path, int flags, ...) {
  PLASH_TAKE_MODE(flags)
  return to_result(cancellable_call(SYS_openat, AT_FDCWD, path, flags, mode));
}
PLASH_ALIAS(open64, open);
PLASH_ALIAS(__open, open);
PLASH_ALIAS(__open64, open);

PLASH_EXPORT(int, openat, int base, const char *path, int flags, ...) {
  PLASH_TAKE_MODE(flags)
  return to_result(cancellable_call(SYS_openat, base, path, flags, mode));
}
PLASH_ALIAS(openat64, openat);

PLASH_EXPORT(int, creat, const char *path, mode_t mode) {
  return to_result(
      cancellable_call(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode));
}
PLASH_ALIAS(creat64, creat);

PLASH_EXPORT(int, __open_2, const char *path, int flags) {
  constexpr char message[] =
      "*** invalid open call: O_CREAT or O_TMPFILE without mode ***: terminated\n";
  check_no_mode(flags, message, sizeof message - 1);
  return to_result(cancellable_call(SYS_openat, AT_FDCWD, path, flags, 0));
}
PLASH_ALIAS(__open64_2, __open_2);

PLASH_EXPORT(int, __openat_2, int base, const char *path, int flags) {
  constexpr char message[] =
      "*** invalid openat call: O_CREAT or O_TMPFILE without mode ***: terminated\n";
  check_no_mode(flags, message, sizeof message - 1);
  return to_result(cancellable_call(SYS_openat, base, path, flags, 0));
}
PLASH_ALIAS(__openat64_2, __openat_2);

}  // namespace plash::preload
