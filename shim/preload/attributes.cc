// SPDX-License-Identifier: LGPL-2.1-or-later
//
// chmod(2), chown(2), utimensat(2) and relatives.
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include <utime.h>

#include "shim/preload/wrap.h"

namespace plash::preload {
namespace {

constexpr long fchmodat2_number = 452;  // Linux 6.6

}  // namespace

PLASH_EXPORT(int, chmod, const char *path, mode_t mode) {
  return to_result(call(SYS_fchmodat, AT_FDCWD, path, mode));
}

PLASH_EXPORT(int, fchmod, int fd, mode_t mode) { return to_result(call(SYS_fchmod, fd, mode)); }

PLASH_EXPORT(int, fchmodat, int base, const char *path, mode_t mode, int flags) {
  if (flags == 0) return to_result(call(SYS_fchmodat, base, path, mode));
  if ((flags & ~AT_SYMLINK_NOFOLLOW) != 0) return fail(EINVAL);
  long result = call(fchmodat2_number, base, path, mode, flags);
  if (result == -ENOSYS) {
    // An older kernel: symlinks have no mode, anything else is not followed anyway.
    struct stat status;
    result = call(SYS_newfstatat, base, path, &status, AT_SYMLINK_NOFOLLOW);
    if (result == 0) {
      result = S_ISLNK(status.st_mode) ? -EOPNOTSUPP : call(SYS_fchmodat, base, path, mode);
    }
  }
  return to_result(result);
}

PLASH_EXPORT(int, lchmod, const char *path, mode_t mode) {
  return wrapped_fchmodat(AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW);
}

PLASH_EXPORT(int, chown, const char *path, uid_t uid, gid_t gid) {
  return to_result(call(SYS_fchownat, AT_FDCWD, path, uid, gid, 0));
}

PLASH_EXPORT(int, lchown, const char *path, uid_t uid, gid_t gid) {
  return to_result(call(SYS_fchownat, AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW));
}

PLASH_EXPORT(int, fchown, int fd, uid_t uid, gid_t gid) {
  return to_result(call(SYS_fchown, fd, uid, gid));
}

PLASH_EXPORT(int, fchownat, int base, const char *path, uid_t uid, gid_t gid, int flags) {
  return to_result(call(SYS_fchownat, base, path, uid, gid, flags));
}

PLASH_EXPORT(int, utimensat, int base, const char *path, const struct timespec *times, int flags) {
  // With a null path the kernel would take base itself; POSIX has futimens() for that.
  if (path == nullptr) return fail(EINVAL);
  return to_result(call(SYS_utimensat, base, path, times, flags));
}

PLASH_EXPORT(int, futimens, int fd, const struct timespec *times) {
  if (fd < 0) return fail(EBADF);
  return to_result(call(SYS_utimensat, fd, nullptr, times, 0));
}

PLASH_EXPORT(int, utime, const char *path, const struct utimbuf *times) {
  timespec converted[2] = {};
  if (times != nullptr) {
    converted[0].tv_sec = times->actime;
    converted[1].tv_sec = times->modtime;
  }
  return to_result(call(SYS_utimensat, AT_FDCWD, path, times != nullptr ? converted : nullptr, 0));
}

namespace {

// utimensat(2) with microseconds. path null: the file behind the descriptor base.
int set_times(int base, const char *path, const struct timeval *times, int flags) noexcept {
  timespec converted[2];
  if (times != nullptr) {
    for (int i = 0; i < 2; ++i) {
      if (times[i].tv_usec < 0 || times[i].tv_usec >= 1000000) return fail(EINVAL);
      converted[i] = {times[i].tv_sec, times[i].tv_usec * 1000};
    }
  }
  return to_result(call(SYS_utimensat, base, path, times != nullptr ? converted : nullptr, flags));
}

}  // namespace

PLASH_EXPORT(int, utimes, const char *path, const struct timeval *times) {
  // A null path is an error here, not the working directory.
  if (path == nullptr) return fail(EFAULT);
  return set_times(AT_FDCWD, path, times, 0);
}

PLASH_EXPORT(int, lutimes, const char *path, const struct timeval *times) {
  if (path == nullptr) return fail(EFAULT);
  return set_times(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
}

PLASH_EXPORT(int, futimes, int fd, const struct timeval *times) {
  if (fd < 0) return fail(EBADF);
  return set_times(fd, nullptr, times, 0);
}

PLASH_EXPORT(int, futimesat, int base, const char *path, const struct timeval *times) {
  return path == nullptr ? wrapped_futimes(base, times) : set_times(base, path, times, 0);
}

}  // namespace plash::preload
