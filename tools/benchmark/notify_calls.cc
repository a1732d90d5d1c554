// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/benchmark/notify_calls.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace plash::benchmark {

const int notified_calls[] = {
    SYS_open,     SYS_openat,    SYS_creat,     SYS_stat,       SYS_lstat,    SYS_newfstatat,
    SYS_statx,    SYS_access,    SYS_faccessat, SYS_faccessat2, SYS_readlink, SYS_readlinkat,
    SYS_mkdir,    SYS_mkdirat,   SYS_rmdir,     SYS_unlink,     SYS_unlinkat, SYS_rename,
    SYS_renameat, SYS_renameat2, SYS_link,      SYS_linkat,     SYS_symlink,  SYS_symlinkat,
    SYS_chmod,    SYS_fchmodat,  SYS_chown,     SYS_lchown,     SYS_fchownat, SYS_utimensat,
    SYS_truncate, SYS_chdir,     SYS_execve,    SYS_execveat,
};
const std::size_t notified_call_count = sizeof notified_calls / sizeof *notified_calls;

namespace {

using Path = std::array<char, PATH_MAX>;

// One page at a time: what follows a string may not be there.
bool read_string(pid_t process, std::uint64_t address, Path &path) {
  constexpr std::size_t page = 4096;
  for (std::size_t got = 0; got < path.size();) {
    const std::size_t size = std::min(page - (address + got) % page, path.size() - got);
    const iovec local{path.data() + got, size};
    const iovec remote{reinterpret_cast<void *>(address + got), size};
    const ssize_t read = ::process_vm_readv(process, &local, 1, &remote, 1, 0);
    if (read <= 0) return false;
    if (std::memchr(path.data() + got, 0, static_cast<std::size_t>(read)) != nullptr) return true;
    got += static_cast<std::size_t>(read);
  }
  return false;
}

bool write_memory(pid_t process, std::uint64_t address, const void *data, std::size_t size) {
  const iovec local{const_cast<void *>(data), size};
  const iovec remote{reinterpret_cast<void *>(address), size};
  return ::process_vm_writev(process, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(size);
}

bool is_or_is_below(std::string_view path, std::string_view directory) {
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

// Names that mean the process that says them.
bool means_the_caller(std::string_view path) {
  return is_or_is_below(path, "/proc/self") || is_or_is_below(path, "/proc/thread-self") ||
         is_or_is_below(path, "/dev/fd") || path == "/dev/tty" || path == "/dev/stdin" ||
         path == "/dev/stdout" || path == "/dev/stderr";
}

// A path of the program's, and the directory that it starts at.
struct Location {
  Path path;
  int base = AT_FDCWD;  // meant for absolute paths only
  UniqueFd owned;
};

class Resolver {
 public:
  Resolver(int listener, const seccomp_notif &notification)
      : listener_(listener), notification_(notification) {}

  // False: the kernel should carry the call out.
  bool locate(std::uint64_t base, std::uint64_t address, Location &location) {
    const auto process = static_cast<pid_t>(notification_.pid);
    if (!read_string(process, address, location.path)) return false;
    const char *path = location.path.data();
    if (path[0] == '\0' || means_the_caller(path)) return false;
    if (path[0] != '/') {
      char name[64];
      const int number = static_cast<int>(base);
      if (number == AT_FDCWD) {
        std::snprintf(name, sizeof name, "/proc/%d/cwd", process);
      } else {
        std::snprintf(name, sizeof name, "/proc/%d/fd/%d", process, number);
      }
      location.owned.reset(::open(name, O_PATH | O_CLOEXEC));
      if (!location.owned) return false;
      location.base = location.owned.get();
    }
    // What was read is the caller's only if it still waits.
    std::uint64_t id = notification_.id;
    return ::ioctl(listener_, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
  }

 private:
  int listener_;
  const seccomp_notif &notification_;
};

Outcome result_of(long result) {
  Outcome outcome;
  outcome.result = result < 0 ? -errno : result;
  return outcome;
}

Outcome by_kernel() {
  Outcome outcome;
  outcome.kernel = true;
  return outcome;
}

Outcome open_at(const Location &at, std::uint64_t flags, std::uint64_t mode) {
  const auto kept = static_cast<int>(flags);
  const int fd = ::openat(at.base, at.path.data(), kept | O_CLOEXEC, static_cast<mode_t>(mode));
  if (fd < 0) return result_of(-1);
  Outcome outcome;
  outcome.descriptor.reset(fd);
  outcome.close_on_exec = (kept & O_CLOEXEC) != 0;
  return outcome;
}

Outcome stat_at(pid_t process, const Location &at, std::uint64_t buffer, std::uint64_t flags) {
  struct stat status;
  if (::fstatat(at.base, at.path.data(), &status, static_cast<int>(flags)) != 0) {
    return result_of(-1);
  }
  errno = EFAULT;
  return result_of(write_memory(process, buffer, &status, sizeof status) ? 0 : -1);
}

Outcome statx_at(pid_t process, const Location &at, const __u64 *values) {
  struct statx status;
  if (::statx(at.base, at.path.data(), static_cast<int>(values[2]),
              static_cast<unsigned>(values[3]), &status) != 0) {
    return result_of(-1);
  }
  errno = EFAULT;
  return result_of(write_memory(process, values[4], &status, sizeof status) ? 0 : -1);
}

Outcome readlink_at(pid_t process, const Location &at, std::uint64_t buffer, std::uint64_t room) {
  Path target;
  const ssize_t size = ::readlinkat(at.base, at.path.data(), target.data(),
                                    std::min<std::size_t>(room, target.size()));
  if (size < 0) return result_of(-1);
  errno = EFAULT;
  return result_of(
      write_memory(process, buffer, target.data(), static_cast<std::size_t>(size)) ? size : -1);
}

Outcome access_at(const Location &at, std::uint64_t mode, std::uint64_t flags) {
  return result_of(::syscall(SYS_faccessat2, at.base, at.path.data(), mode, flags));
}

Outcome set_times(pid_t process, const Location &at, std::uint64_t times, std::uint64_t flags) {
  timespec values[2];
  if (times != 0) {
    const iovec local{values, sizeof values};
    const iovec remote{reinterpret_cast<void *>(times), sizeof values};
    if (::process_vm_readv(process, &local, 1, &remote, 1, 0) != sizeof values) return by_kernel();
  }
  return result_of(
      ::utimensat(at.base, at.path.data(), times ? values : nullptr, static_cast<int>(flags)));
}

// Looked at, and left to the kernel: it is the program itself that it changes.
Outcome check(const Location &at, std::uint64_t mode) {
  const long result = ::syscall(SYS_faccessat2, at.base, at.path.data(), mode, 0);
  return result < 0 ? result_of(result) : by_kernel();
}

// clang-format off
Outcome with_one_path(int number, pid_t process, const Location &at, const __u64 *values) {
  const char *path = at.path.data();
  const auto mode_of = [values](int index) { return static_cast<mode_t>(values[index]); };
  const auto id = [values](int index) { return static_cast<unsigned>(values[index]); };
  switch (number) {
    case SYS_open:       return open_at(at, values[1], values[2]);
    case SYS_openat:     return open_at(at, values[2], values[3]);
    case SYS_creat:      return open_at(at, O_CREAT | O_WRONLY | O_TRUNC, values[1]);
    case SYS_stat:       return stat_at(process, at, values[1], 0);
    case SYS_lstat:      return stat_at(process, at, values[1], AT_SYMLINK_NOFOLLOW);
    case SYS_newfstatat: return stat_at(process, at, values[2], values[3]);
    case SYS_statx:      return statx_at(process, at, values);
    case SYS_access:     return access_at(at, values[1], 0);
    case SYS_faccessat:  return access_at(at, values[2], 0);
    case SYS_faccessat2: return access_at(at, values[2], values[3]);
    case SYS_readlink:   return readlink_at(process, at, values[1], values[2]);
    case SYS_readlinkat: return readlink_at(process, at, values[2], values[3]);
    case SYS_mkdir:      return result_of(::mkdirat(at.base, path, mode_of(1)));
    case SYS_mkdirat:    return result_of(::mkdirat(at.base, path, mode_of(2)));
    case SYS_rmdir:      return result_of(::unlinkat(at.base, path, AT_REMOVEDIR));
    case SYS_unlink:     return result_of(::unlinkat(at.base, path, 0));
    case SYS_unlinkat:   return result_of(::unlinkat(at.base, path, static_cast<int>(values[2])));
    case SYS_chmod:      return result_of(::fchmodat(at.base, path, mode_of(1), 0));
    case SYS_fchmodat:   return result_of(::fchmodat(at.base, path, mode_of(2), 0));
    case SYS_chown:      return result_of(::fchownat(at.base, path, id(1), id(2), 0));
    case SYS_lchown:     return result_of(::fchownat(at.base, path, id(1), id(2), AT_SYMLINK_NOFOLLOW));
    case SYS_fchownat:   return result_of(::fchownat(at.base, path, id(2), id(3), static_cast<int>(values[4])));
    case SYS_utimensat:  return set_times(process, at, values[2], values[3]);
    case SYS_chdir:      return check(at, 1);
    case SYS_execve:     return check(at, 1);
    case SYS_execveat:   return check(at, 1);
    case SYS_truncate: {
      const UniqueFd file(::openat(at.base, path, O_WRONLY | O_CLOEXEC));
      return result_of(file ? ::ftruncate(file.get(), static_cast<off_t>(values[1])) : -1);
    }
    default:             return by_kernel();
  }
}
// clang-format on

Outcome with_two_paths(int number, const Location &from, const Location &to, std::uint64_t flags) {
  const char *old_path = from.path.data(), *new_path = to.path.data();
  switch (number) {
    case SYS_link:
    case SYS_linkat:
      return result_of(::linkat(from.base, old_path, to.base, new_path, static_cast<int>(flags)));
    default:
      return result_of(
          ::renameat2(from.base, old_path, to.base, new_path, static_cast<unsigned>(flags)));
  }
}

constexpr auto current = static_cast<std::uint64_t>(AT_FDCWD);

}  // namespace

Outcome carry_out(int listener, const seccomp_notif &notification) {
  const __u64 *values = notification.data.args;
  const int number = notification.data.nr;
  const auto process = static_cast<pid_t>(notification.pid);
  Resolver resolver(listener, notification);
  Location first, second;
  switch (number) {
    case SYS_symlink:
    case SYS_symlinkat: {
      const bool at = number == SYS_symlinkat;
      if (!read_string(process, values[0], first.path) ||
          !resolver.locate(at ? values[1] : current, values[at ? 2 : 1], second)) {
        return by_kernel();
      }
      return result_of(::symlinkat(first.path.data(), second.base, second.path.data()));
    }
    case SYS_rename:
    case SYS_link:
      if (!resolver.locate(current, values[0], first) ||
          !resolver.locate(current, values[1], second)) {
        return by_kernel();
      }
      return with_two_paths(number, first, second, 0);
    case SYS_renameat:
    case SYS_renameat2:
    case SYS_linkat:
      if (!resolver.locate(values[0], values[1], first) ||
          !resolver.locate(values[2], values[3], second)) {
        return by_kernel();
      }
      return with_two_paths(number, first, second, number == SYS_renameat ? 0 : values[4]);
    case SYS_openat:
    case SYS_newfstatat:
    case SYS_statx:
    case SYS_faccessat:
    case SYS_faccessat2:
    case SYS_readlinkat:
    case SYS_mkdirat:
    case SYS_unlinkat:
    case SYS_fchmodat:
    case SYS_fchownat:
    case SYS_utimensat:
    case SYS_execveat:
      if (values[1] == 0 || !resolver.locate(values[0], values[1], first)) return by_kernel();
      break;
    default:
      if (!resolver.locate(current, values[0], first)) return by_kernel();
  }
  return with_one_path(number, process, first, values);
}

}  // namespace plash::benchmark
