// SPDX-License-Identifier: LGPL-2.1-or-later
//
// getxattr(2) and relatives.
#include <sys/types.h>

#include "shim/preload/wrap.h"

namespace plash::preload {

PLASH_EXPORT(ssize_t, getxattr, const char *path, const char *name, void *value, size_t size) {
  return to_result<ssize_t>(call(SYS_getxattr, path, name, value, size));
}

PLASH_EXPORT(ssize_t, lgetxattr, const char *path, const char *name, void *value, size_t size) {
  return to_result<ssize_t>(call(SYS_lgetxattr, path, name, value, size));
}

PLASH_EXPORT(ssize_t, fgetxattr, int fd, const char *name, void *value, size_t size) {
  return to_result<ssize_t>(call(SYS_fgetxattr, fd, name, value, size));
}

PLASH_EXPORT(ssize_t, listxattr, const char *path, char *names, size_t size) {
  return to_result<ssize_t>(call(SYS_listxattr, path, names, size));
}

PLASH_EXPORT(ssize_t, llistxattr, const char *path, char *names, size_t size) {
  return to_result<ssize_t>(call(SYS_llistxattr, path, names, size));
}

PLASH_EXPORT(ssize_t, flistxattr, int fd, char *names, size_t size) {
  return to_result<ssize_t>(call(SYS_flistxattr, fd, names, size));
}

PLASH_EXPORT(int, setxattr, const char *path, const char *name, const void *value, size_t size,
             int flags) {
  return to_result(call(SYS_setxattr, path, name, value, size, flags));
}

PLASH_EXPORT(int, lsetxattr, const char *path, const char *name, const void *value, size_t size,
             int flags) {
  return to_result(call(SYS_lsetxattr, path, name, value, size, flags));
}

PLASH_EXPORT(int, fsetxattr, int fd, const char *name, const void *value, size_t size, int flags) {
  return to_result(call(SYS_fsetxattr, fd, name, value, size, flags));
}

PLASH_EXPORT(int, removexattr, const char *path, const char *name) {
  return to_result(call(SYS_removexattr, path, name));
}

PLASH_EXPORT(int, lremovexattr, const char *path, const char *name) {
  return to_result(call(SYS_lremovexattr, path, name));
}

PLASH_EXPORT(int, fremovexattr, int fd, const char *name) {
  return to_result(call(SYS_fremovexattr, fd, name));
}

}  // namespace plash::preload
