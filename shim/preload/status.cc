// SPDX-License-Identifier: LGPL-2.1-or-later
//
// stat(2) and relatives: the functions of glibc 2.33 and later, and the __xstat ones that programs
// built against earlier versions call. On x86-64 struct stat, struct stat64 and the kernel's
// structure are the same.
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>

#include "shim/preload/wrap.h"

namespace plash::preload {

PLASH_EXPORT(int, stat, const char *path, struct stat *status) {
  return to_result(call(SYS_newfstatat, AT_FDCWD, path, status, 0));
}
PLASH_ALIAS(stat64, stat);

PLASH_EXPORT(int, lstat, const char *path, struct stat *status) {
  return to_result(call(SYS_newfstatat, AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW));
}
PLASH_ALIAS(lstat64, lstat);

PLASH_EXPORT(int, fstat, int fd, struct stat *status) {
  return to_result(call(SYS_fstat, fd, status));
}
PLASH_ALIAS(fstat64, fstat);

PLASH_EXPORT(int, fstatat, int base, const char *path, struct stat *status, int flags) {
  return to_result(call(SYS_newfstatat, base, path, status, flags));
}
PLASH_ALIAS(fstatat64, fstatat);

PLASH_EXPORT(int, statx, int base, const char *path, int flags, unsigned mask,
             struct statx *status) {
  return to_result(call(SYS_statx, base, path, flags, mask, status));
}

namespace {

// Versions of struct stat: _STAT_VER_KERNEL and _STAT_VER_LINUX, which x86-64 does not tell apart.
bool is_known_version(int version) noexcept { return version == 0 || version == 1; }

}  // namespace

PLASH_EXPORT(int, __xstat, int version, const char *path, struct stat *status) {
  return is_known_version(version) ? wrapped_stat(path, status) : fail(EINVAL);
}
PLASH_ALIAS(__xstat64, __xstat);

PLASH_EXPORT(int, __lxstat, int version, const char *path, struct stat *status) {
  return is_known_version(version) ? wrapped_lstat(path, status) : fail(EINVAL);
}
PLASH_ALIAS(__lxstat64, __lxstat);

PLASH_EXPORT(int, __fxstat, int version, int fd, struct stat *status) {
  return is_known_version(version) ? wrapped_fstat(fd, status) : fail(EINVAL);
}
PLASH_ALIAS(__fxstat64, __fxstat);

PLASH_EXPORT(int, __fxstatat, int version, int base, const char *path, struct stat *status,
             int flags) {
  return is_known_version(version) ? wrapped_fstatat(base, path, status, flags) : fail(EINVAL);
}
PLASH_ALIAS(__fxstatat64, __fxstatat);

}  // namespace plash::preload
