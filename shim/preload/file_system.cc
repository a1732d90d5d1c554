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

// What pathconf(3) tells of a file, from the type of its file system (linux/magic.h), as glibc
// does: 127 links and 32 bits where it knows nothing better.
long link_max(long type) noexcept {
  switch (type) {
    case 0xef53:  // ext4
      return 65000;
    case 0x58465342:  // XFS
      return 2147483647;
    case 0xf2f52010:  // F2FS
      return 32000;
    default:
      return 127;
  }
}

long file_size_bits(long type) noexcept {
  switch (type) {
    case 0xef53:
    case 0x58465342:
      return 64;
    case 0x9123683e:  // Btrfs
      return 255;
    case 0xf2f52010:
      return 256;
    default:
      return 32;
  }
}

// libc's own answer, without what it does to errno where it succeeds.
long ask_libc(const char *path, int name) noexcept {
  auto *real = next<long(const char *, int)>("pathconf");
  if (real == nullptr) return fail(ENOSYS);
  const int saved = errno;
  const long result = real(path, name);
  if (result != -1) errno = saved;
  return result;
}

}  // namespace

// Where there is a server, it says what the file is; what libc says of the root holds for the rest.
PLASH_EXPORT(long, pathconf, const char *path, int name) {
  if (!is_set_up) set_up();
  if (passes_through) return ask_libc(path, name);
  if (path[0] == '\0') return fail(ENOENT);
  struct stat status;
  struct statfs file_system;
  switch (name) {
    case _PC_ASYNC_IO: {
      const long result = call(SYS_stat, path, &status);
      if (result < 0) return fail(static_cast<int>(-result));
      return S_ISREG(status.st_mode) || S_ISBLK(status.st_mode) ? 1 : -1;
    }
    case _PC_LINK_MAX:
      return wrapped_statfs(path, &file_system) == 0 ? link_max(file_system.f_type) : -1;
    case _PC_NAME_MAX:
      return wrapped_statfs(path, &file_system) == 0 ? static_cast<long>(file_system.f_namelen)
                                                     : -1;
    case _PC_FILESIZEBITS:
      return wrapped_statfs(path, &file_system) == 0 ? file_size_bits(file_system.f_type) : -1;
    case _PC_CHOWN_RESTRICTED:
    case _PC_2_SYMLINKS:
      return wrapped_statfs(path, &file_system) == 0 ? 1 : -1;
    default:
      return ask_libc("/", name);
  }
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
