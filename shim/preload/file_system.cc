// SPDX-License-Identifier: LGPL-2.1-or-later
//
// truncate(2), statfs(2), statvfs(3), pathconf(3), ftok(3) and inotify_add_watch(2).
#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "shim/preload/wrap.h"

namespace plash::preload {
namespace {

// The kernel marks f_flags as filled in with this bit (ST_VALID).
constexpr unsigned long flags_are_valid = 0x20;

void convert(const struct statfs &from, struct statvfs &to) noexcept {
  to = {};
  to.f_bsize = static_cast<unsigned long>(from.f_bsize);
  to.f_frsize = static_cast<unsigned long>(from.f_frsize != 0 ? from.f_frsize : from.f_bsize);
  to.f_blocks = from.f_blocks;
  to.f_bfree = from.f_bfree;
  to.f_bavail = from.f_bavail;
  to.f_files = from.f_files;
  to.f_ffree = from.f_ffree;
  to.f_favail = from.f_ffree;
  to.f_fsid = static_cast<unsigned>(from.f_fsid.__val[0]) |
              static_cast<unsigned long>(static_cast<unsigned>(from.f_fsid.__val[1])) << 32;
  to.f_flag = static_cast<unsigned long>(from.f_flags) & ~flags_are_valid;
  to.f_namemax = static_cast<unsigned long>(from.f_namelen);
}

}  // namespace

PLASH_EXPORT(int, truncate, const char *path, off_t length) {
  return to_result(call(SYS_truncate, path, length));
}
PLASH_ALIAS(truncate64, truncate);

PLASH_EXPORT(int, statfs, const char *path, struct statfs *status) {
  return to_result(call(SYS_statfs, path, status));
}
PLASH_ALIAS(statfs64, statfs);
PLASH_ALIAS(__statfs, statfs);

PLASH_EXPORT(int, fstatfs, int fd, struct statfs *status) {
  return to_result(call(SYS_fstatfs, fd, status));
}
PLASH_ALIAS(fstatfs64, fstatfs);

PLASH_EXPORT(int, statvfs, const char *path, struct statvfs *status) {
  struct statfs kernel_status;
  if (wrapped_statfs(path, &kernel_status) != 0) return -1;
  convert(kernel_status, *status);
  return 0;
}
PLASH_ALIAS(statvfs64, statvfs);

PLASH_EXPORT(int, fstatvfs, int fd, struct statvfs *status) {
  struct statfs kernel_status;
  if (wrapped_fstatfs(fd, &kernel_status) != 0) return -1;
  convert(kernel_status, *status);
  return 0;
}
PLASH_ALIAS(fstatvfs64, fstatvfs);

namespace {

// Of what pathconf(3) tells, libc looks at the file for these.
bool depends_on_file(int name) noexcept {
  switch (name) {
    case _PC_LINK_MAX:
    case _PC_NAME_MAX:
    case _PC_CHOWN_RESTRICTED:
    case _PC_ASYNC_IO:
    case _PC_FILESIZEBITS:
    case _PC_2_SYMLINKS:
      return true;
    default:
      return false;
  }
}

}  // namespace

// Where there is a server, the file must exist and says how long its names may be; what libc says
// of the root holds for the rest.
PLASH_EXPORT(long, pathconf, const char *path, int name) {
  auto *real = next<long(const char *, int)>("pathconf");
  if (real == nullptr) return fail(ENOSYS);
  if (!is_set_up) set_up();
  if (passes_through) return real(path, name);
  if (path[0] == '\0') return fail(ENOENT);
  if (depends_on_file(name)) {
    struct statfs status;
    if (wrapped_statfs(path, &status) != 0) return -1;
    if (name == _PC_NAME_MAX) return static_cast<long>(status.f_namelen);
  }
  return real("/", name);
}

PLASH_EXPORT(key_t, ftok, const char *path, int project) {
  struct stat status;
  const long result = call(SYS_stat, path, &status);
  if (result < 0) return fail(static_cast<int>(-result));
  return static_cast<key_t>((status.st_ino & 0xffff) | (status.st_dev & 0xff) << 16 |
                            static_cast<unsigned>(project & 0xff) << 24);
}

PLASH_EXPORT(int, inotify_add_watch, int fd, const char *path, unsigned mask) {
  return to_result(call(SYS_inotify_add_watch, fd, path, mask));
}

}  // namespace plash::preload
