// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Calls that change a file's mode, owner, times and length.
#include <asm/unistd_64.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/time.h>
#include <utime.h>

#include "protocol/memory.h"
#include "protocol/system_call.h"
#include "shim/engine/handlers.h"
#include "shim/engine/syscall_numbers.h"

namespace plash::engine {
namespace {

constexpr long now = (1L << 30) - 1;   // UTIME_NOW
constexpr long omit = (1L << 30) - 2;  // UTIME_OMIT

Last last_of(std::uint64_t flags) noexcept {
  return (flags & AT_SYMLINK_NOFOLLOW) != 0 ? Last::keep : Last::follow;
}

Location itself(long descriptor) noexcept {
  return {static_cast<int>(descriptor), {"", 0}, AT_EMPTY_PATH};
}

// The kernel's own call on a descriptor that is no directory object; where the sandbox's filter
// refuses it, because the descriptor could be of a file that was granted read-only, the server
// decides.
template <class AskServer>
long on_descriptor(long descriptor, long number, const Arguments &arguments,
                   const AskServer &ask_server) noexcept {
  if (is_service(descriptor)) return -EBADF;
  const int directory = open_directory(descriptor);
  if (directory < 0) return directory;
  if (directory == 0) {
    const long result = call_kernel(number, arguments);
    if (result != -EPERM) return result;
    if (!is_open_file(descriptor)) return -EBADF;
  }
  return ask_server(itself(descriptor));
}

long change_mode(const Location &location, unsigned mode, std::uint64_t flags) noexcept {
  methods::Chmod::Request request;
  request.mode = mode & 07777;
  request.flags = flags & AT_SYMLINK_NOFOLLOW;
  set_location(request, location);
  methods::Chmod::Reply reply;
  return ask<methods::Chmod>(request, reply);
}

long chmod_at(long directory, const char *path, unsigned mode, std::uint64_t flags) noexcept {
  if ((flags & ~std::uint64_t{AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH}) != 0) return -EINVAL;
  Location location;
  const long error = locate(directory, path, flags, last_of(flags), location);
  return error != 0 ? error : change_mode(location, mode, flags);
}

long change_owner(const Location &location, unsigned uid, unsigned gid,
                  std::uint64_t flags) noexcept {
  methods::Chown::Request request;
  request.uid = static_cast<int>(uid);
  request.gid = static_cast<int>(gid);
  request.flags = flags & AT_SYMLINK_NOFOLLOW;
  set_location(request, location);
  methods::Chown::Reply reply;
  return ask<methods::Chown>(request, reply);
}

long chown_at(long directory, const char *path, unsigned uid, unsigned gid,
              std::uint64_t flags) noexcept {
  if ((flags & ~std::uint64_t{AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH}) != 0) return -EINVAL;
  Location location;
  const long error = locate(directory, path, flags, last_of(flags), location);
  return error != 0 ? error : change_owner(location, uid, gid, flags);
}

struct Times {
  long access_seconds = 0;
  long access_nanoseconds = now;
  long modification_seconds = 0;
  long modification_nanoseconds = now;
};

bool valid_nanoseconds(long nanoseconds) noexcept {
  return nanoseconds == now || nanoseconds == omit ||
         (nanoseconds >= 0 && nanoseconds < 1'000'000'000);
}

long change_times(const Location &location, const Times &times, std::uint64_t flags) noexcept {
  methods::Utimens::Request request;
  request.atime_sec = times.access_seconds;
  request.atime_nsec = times.access_nanoseconds;
  request.mtime_sec = times.modification_seconds;
  request.mtime_nsec = times.modification_nanoseconds;
  request.flags = flags & AT_SYMLINK_NOFOLLOW;
  set_location(request, location);
  methods::Utimens::Reply reply;
  return ask<methods::Utimens>(request, reply);
}

long utimes_at(long directory, const char *path, const Times &times, std::uint64_t flags) noexcept {
  Location location;
  const long error = locate(directory, path, flags, last_of(flags), location);
  return error != 0 ? error : change_times(location, times, flags);
}

// struct timeval[2], or null for now.
long take_microseconds(const timeval *given, Times &times) noexcept {
  if (given == nullptr) return 0;
  if (!may_read(given, 2 * sizeof *given)) return -EFAULT;
  for (int i = 0; i < 2; ++i) {
    if (given[i].tv_usec < 0 || given[i].tv_usec >= 1'000'000) return -EINVAL;
  }
  times = {given[0].tv_sec, given[0].tv_usec * 1000, given[1].tv_sec, given[1].tv_usec * 1000};
  return 0;
}

long utimes_by_microseconds(long directory, const char *path, const timeval *given) noexcept {
  Times times;
  const long error = take_microseconds(given, times);
  return error != 0 ? error : utimes_at(directory, path, times, 0);
}

}  // namespace

long emulate_chmod(const Arguments &arguments) noexcept {
  return chmod_at(AT_FDCWD, arguments.pointer<const char>(0), arguments.bits(1), 0);
}

long emulate_fchmodat(const Arguments &arguments) noexcept {
  return chmod_at(arguments[0], arguments.pointer<const char>(1), arguments.bits(2), 0);
}

long emulate_fchmodat2(const Arguments &arguments) noexcept {
  return chmod_at(arguments[0], arguments.pointer<const char>(1), arguments.bits(2),
                  arguments.bits(3));
}

long emulate_fchmod(const Arguments &arguments) noexcept {
  return on_descriptor(arguments[0], __NR_fchmod, arguments, [&](const Location &location) {
    return change_mode(location, arguments.bits(1), 0);
  });
}

long emulate_chown(const Arguments &arguments) noexcept {
  return chown_at(AT_FDCWD, arguments.pointer<const char>(0), arguments.bits(1), arguments.bits(2),
                  0);
}

long emulate_lchown(const Arguments &arguments) noexcept {
  return chown_at(AT_FDCWD, arguments.pointer<const char>(0), arguments.bits(1), arguments.bits(2),
                  AT_SYMLINK_NOFOLLOW);
}

long emulate_fchownat(const Arguments &arguments) noexcept {
  return chown_at(arguments[0], arguments.pointer<const char>(1), arguments.bits(2),
                  arguments.bits(3), arguments.bits(4));
}

long emulate_fchown(const Arguments &arguments) noexcept {
  return on_descriptor(arguments[0], __NR_fchown, arguments, [&](const Location &location) {
    return change_owner(location, arguments.bits(1), arguments.bits(2), 0);
  });
}

long emulate_utime(const Arguments &arguments) noexcept {
  const auto *given = arguments.pointer<const utimbuf>(1);
  Times times;
  if (given != nullptr) {
    if (!may_read(given, sizeof *given)) return -EFAULT;
    times = {given->actime, 0, given->modtime, 0};
  }
  return utimes_at(AT_FDCWD, arguments.pointer<const char>(0), times, 0);
}

long emulate_utimes(const Arguments &arguments) noexcept {
  return utimes_by_microseconds(AT_FDCWD, arguments.pointer<const char>(0),
                                arguments.pointer<const timeval>(1));
}

long emulate_futimesat(const Arguments &arguments) noexcept {
  const auto *given = arguments.pointer<const timeval>(2);
  if (arguments[1] != 0)
    return utimes_by_microseconds(arguments[0], arguments.pointer<const char>(1), given);
  if (arguments.number(0) == AT_FDCWD) return -EFAULT;
  return on_descriptor(arguments[0], __NR_futimesat, arguments, [&](const Location &location) {
    Times times;
    const long error = take_microseconds(given, times);
    return error != 0 ? error : change_times(location, times, 0);
  });
}

long emulate_utimensat(const Arguments &arguments) noexcept {
  const auto *given = arguments.pointer<const timespec>(2);
  const std::uint64_t flags = arguments.bits(3);
  Times times;
  if (given != nullptr) {
    if (!may_read(given, 2 * sizeof *given)) return -EFAULT;
    times = {given[0].tv_sec, given[0].tv_nsec, given[1].tv_sec, given[1].tv_nsec};
    if (times.access_nanoseconds == omit && times.modification_nanoseconds == omit) return 0;
  }
  if ((flags & ~std::uint64_t{AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH}) != 0) return -EINVAL;
  if (!valid_nanoseconds(times.access_nanoseconds) ||
      !valid_nanoseconds(times.modification_nanoseconds))
    return -EINVAL;
  if (arguments[1] != 0)
    return utimes_at(arguments[0], arguments.pointer<const char>(1), times, flags);
  if (arguments.number(0) == AT_FDCWD) return -EFAULT;
  if (flags != 0) return -EINVAL;
  return on_descriptor(arguments[0], __NR_utimensat, arguments,
                       [&](const Location &location) { return change_times(location, times, 0); });
}

long emulate_truncate(const Arguments &arguments) noexcept {
  if (arguments[1] < 0) return -EINVAL;
  Location location;
  const long error = locate(AT_FDCWD, arguments.pointer<const char>(0), 0, Last::follow, location);
  if (error != 0) return error;
  if (location.flags != 0) return system_call(__NR_ftruncate, location.base, arguments[1]);
  methods::Truncate::Request request;
  set_location(request, location);
  request.length = arguments[1];
  methods::Truncate::Reply reply;
  return ask<methods::Truncate>(request, reply);
}

}  // namespace plash::engine
