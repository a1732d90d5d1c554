// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "shim/engine/syscall_numbers.h"

namespace plash::loader {

// Which argument of system call number is its first path, -1 where it has none.
constexpr int path_argument(long number) noexcept {
  switch (number) {
    case __NR_open:
    case __NR_creat:
    case __NR_stat:
    case __NR_lstat:
    case __NR_access:
    case __NR_chdir:
    case __NR_mkdir:
    case __NR_rmdir:
    case __NR_mknod:
    case __NR_unlink:
    case __NR_rename:
    case __NR_link:
    case __NR_symlink:
    case __NR_symlinkat:
    case __NR_readlink:
    case __NR_chmod:
    case __NR_chown:
    case __NR_lchown:
    case __NR_truncate:
    case __NR_setxattr:
    case __NR_lsetxattr:
    case __NR_getxattr:
    case __NR_lgetxattr:
    case __NR_listxattr:
    case __NR_llistxattr:
    case __NR_removexattr:
    case __NR_lremovexattr:
    case __NR_utime:
    case __NR_utimes:
    case __NR_statfs:
    case __NR_execve:
      return 0;
    case __NR_openat:
    case __NR_openat2:
    case __NR_newfstatat:
    case __NR_statx:
    case __NR_faccessat:
    case __NR_faccessat2:
    case __NR_mkdirat:
    case __NR_mknodat:
    case __NR_unlinkat:
    case __NR_renameat:
    case __NR_renameat2:
    case __NR_linkat:
    case __NR_readlinkat:
    case __NR_fchmodat:
    case __NR_fchmodat2:
    case __NR_fchownat:
    case __NR_utimensat:
    case __NR_futimesat:
    case __NR_setxattrat:
    case __NR_getxattrat:
    case __NR_listxattrat:
    case __NR_removexattrat:
    case __NR_inotify_add_watch:
    case __NR_execveat:
      return 1;
    default:
      return -1;
  }
}

}  // namespace plash::loader
