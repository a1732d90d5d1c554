// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Making, moving and removing names: mkdir(2), mknod(2), unlink(2), rename(2), link(2), symlink(2)
// and relatives, and readlink(2).
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/preload/wrap.h"

namespace plash::preload {

PLASH_EXPORT(int, mkdir, const char *path, mode_t mode) {
  return to_result(call(SYS_mkdirat, AT_FDCWD, path, mode));
}

PLASH_EXPORT(int, mkdirat, int base, const char *path, mode_t mode) {
  return to_result(call(SYS_mkdirat, base, path, mode));
}

// The kernel's device numbers have 32 bits.
PLASH_EXPORT(int, mknodat, int base, const char *path, mode_t mode, dev_t device) {
  if (device > UINT32_MAX) return fail(EINVAL);
  return to_result(call(SYS_mknodat, base, path, mode, device));
}

PLASH_EXPORT(int, mknod, const char *path, mode_t mode, dev_t device) {
  return wrapped_mknodat(AT_FDCWD, path, mode, device);
}

PLASH_EXPORT(int, __xmknodat, int version, int base, const char *path, mode_t mode, dev_t *device) {
  return version == 0 ? wrapped_mknodat(base, path, mode, *device) : fail(EINVAL);
}

PLASH_EXPORT(int, __xmknod, int version, const char *path, mode_t mode, dev_t *device) {
  return wrapped___xmknodat(version, AT_FDCWD, path, mode, device);
}

PLASH_EXPORT(int, mkfifoat, int base, const char *path, mode_t mode) {
  return to_result(call(SYS_mknodat, base, path, mode | S_IFIFO, 0));
}

PLASH_EXPORT(int, mkfifo, const char *path, mode_t mode) {
  return wrapped_mkfifoat(AT_FDCWD, path, mode);
}

PLASH_EXPORT(int, unlink, const char *path) {
  return to_result(call(SYS_unlinkat, AT_FDCWD, path, 0));
}

PLASH_EXPORT(int, unlinkat, int base, const char *path, int flags) {
  return to_result(call(SYS_unlinkat, base, path, flags));
}

PLASH_EXPORT(int, rmdir, const char *path) {
  return to_result(call(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR));
}

PLASH_EXPORT(int, remove, const char *path) {
  const long result = call(SYS_unlinkat, AT_FDCWD, path, 0);
  if (result != -EISDIR) return to_result(result);
  return wrapped_rmdir(path);
}

PLASH_EXPORT(int, rename, const char *from, const char *to) {
  return to_result(call(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

PLASH_EXPORT(int, renameat, int from_base, const char *from, int to_base, const char *to) {
  return to_result(call(SYS_renameat2, from_base, from, to_base, to, 0));
}

PLASH_EXPORT(int, renameat2, int from_base, const char *from, int to_base, const char *to,
             unsigned flags) {
  return to_result(call(SYS_renameat2, from_base, from, to_base, to, flags));
}

PLASH_EXPORT(int, link, const char *from, const char *to) {
  return to_result(call(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
}

PLASH_EXPORT(int, linkat, int from_base, const char *from, int to_base, const char *to, int flags) {
  return to_result(call(SYS_linkat, from_base, from, to_base, to, flags));
}

PLASH_EXPORT(int, symlink, const char *target, const char *path) {
  return to_result(call(SYS_symlinkat, target, AT_FDCWD, path));
}

PLASH_EXPORT(int, symlinkat, const char *target, int base, const char *path) {
  return to_result(call(SYS_symlinkat, target, base, path));
}

PLASH_EXPORT(ssize_t, readlinkat, int base, const char *path, char *buffer, size_t size) {
  return to_result<ssize_t>(call(SYS_readlinkat, base, path, buffer, size));
}

PLASH_EXPORT(ssize_t, readlink, const char *path, char *buffer, size_t size) {
  return to_result<ssize_t>(call(SYS_readlinkat, AT_FDCWD, path, buffer, size));
}

PLASH_EXPORT(ssize_t, __readlink_chk, const char *path, char *buffer, size_t size,
             size_t buffer_size) {
  if (size > buffer_size) __chk_fail();
  return wrapped_readlink(path, buffer, size);
}

PLASH_EXPORT(ssize_t, __readlinkat_chk, int base, const char *path, char *buffer, size_t size,
             size_t buffer_size) {
  if (size > buffer_size) __chk_fail();
  return wrapped_readlinkat(base, path, buffer, size);
}

}  // namespace plash::preload
