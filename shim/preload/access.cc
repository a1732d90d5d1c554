// SPDX-License-Identifier: LGPL-2.1-or-later
//
// access(2) and relatives.
#include <fcntl.h>
#include <unistd.h>

#include "shim/preload/wrap.h"

namespace plash::preload {

PLASH_EXPORT(int, access, const char *path, int mode) {
  return to_result(call(SYS_access, path, mode));
}

// The kernel has faccessat(2) without flags and, since 5.8, faccessat2(2) with them.
PLASH_EXPORT(int, faccessat, int base, const char *path, int mode, int flags) {
  return to_result(flags == 0 ? call(SYS_faccessat, base, path, mode)
                              : call(SYS_faccessat2, base, path, mode, flags));
}

PLASH_EXPORT(int, euidaccess, const char *path, int mode) {
  // As in glibc, bits that say nothing are let pass.
  return wrapped_faccessat(AT_FDCWD, path, mode & (R_OK | W_OK | X_OK), AT_EACCESS);
}
PLASH_ALIAS(eaccess, euidaccess);

}  // namespace plash::preload
