// SPDX-License-Identifier: LGPL-2.1-or-later
#include <asm/unistd_64.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>

#include "protocol/memory.h"
#include "protocol/system_call.h"
#include "shim/engine/handlers.h"
#include "shim/engine/terminal.h"

namespace plash::engine {
namespace {

// Masks as in the kernel's include/linux/fcntl.h and fs/open.c.
constexpr std::uint64_t known_flags = O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND |
                                      O_NONBLOCK | O_DSYNC | O_SYNC | O_ASYNC | O_DIRECT |
                                      0100000 /* O_LARGEFILE */ | O_DIRECTORY | O_NOFOLLOW |
                                      O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE;
constexpr std::uint64_t path_flags = O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;
constexpr std::uint64_t temporary_flag = O_TMPFILE & ~O_DIRECTORY;
constexpr std::uint64_t known_resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS |
                                        RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT |
                                        RESOLVE_CACHED;
constexpr std::uint64_t known_mode = 07777;

// build_open_flags() of the kernel, as far as it refuses. how has been masked already where the
// call is open(2).
long check(const open_how &how) noexcept {
  if ((how.flags & ~known_flags) != 0 || (how.resolve & ~known_resolve) != 0) return -EINVAL;
  if ((how.resolve & RESOLVE_BENEATH) != 0 && (how.resolve & RESOLVE_IN_ROOT) != 0) return -EINVAL;
  const bool creates = (how.flags & (O_CREAT | temporary_flag)) != 0;
  if (how.mode != 0 && (!creates || (how.mode & ~known_mode) != 0)) return -EINVAL;
  if ((how.flags & (O_DIRECTORY | O_CREAT)) == (O_DIRECTORY | O_CREAT)) return -EINVAL;
  if ((how.flags & temporary_flag) != 0) {
    if ((how.flags & O_DIRECTORY) == 0 || (how.flags & O_ACCMODE) == O_RDONLY) return -EINVAL;
  }
  if ((how.flags & O_PATH) != 0 && (how.flags & ~path_flags) != 0) return -EINVAL;
  if ((how.resolve & RESOLVE_CACHED) != 0 &&
      (how.flags & (O_TRUNC | O_CREAT | temporary_flag)) != 0)
    return -EAGAIN;
  return 0;
}

// Another name of an open descriptor means a copy of it: opening the file anew could turn a
// read-only descriptor into a writable one.
long open_alias(int descriptor, std::uint64_t flags) noexcept {
  const long held = system_call(__NR_fcntl, descriptor, F_GETFL);
  if (held < 0) return -ENOENT;
  const std::uint64_t wanted = flags & O_ACCMODE;
  const auto granted = static_cast<std::uint64_t>(held) & O_ACCMODE;
  if ((flags & O_PATH) == 0 && granted != O_RDWR && wanted != granted) return -EACCES;
  return system_call(__NR_fcntl, descriptor, (flags & O_CLOEXEC) != 0 ? F_DUPFD_CLOEXEC : F_DUPFD,
                     0);
}

Last last_of(const open_how &how) noexcept {
  if (how.resolve != 0) return Last::literal;
  return (how.flags & O_NOFOLLOW) != 0 ? Last::keep : Last::follow;
}

// Where the base counts as the root, an absolute path is relative to it.
long skip_root(const char *&path) noexcept {
  Bytes given;
  const long error = take_string(path, given);
  if (error != 0 || given.size == 0 || *path != '/') return error;
  while (*path == '/') ++path;
  if (*path == '\0') path = ".";
  return 0;
}

long open_how_at(long directory, const char *path, const open_how &how) noexcept {
  long error = check(how);
  if (error != 0) return error;
  if ((how.resolve & RESOLVE_IN_ROOT) != 0) {
    error = skip_root(path);
    if (error != 0) return error;
  }
  Location location;
  error = locate(directory, path, 0, last_of(how), location);
  if (error != 0) return error;
  if (location.flags != 0) return open_alias(location.base, how.flags);
  methods::Open::Request request;
  set_location(request, location);
  request.flags = how.flags;
  request.mode = how.mode;
  request.umask = umask_of_process();
  request.resolve = how.resolve;
  methods::Open::Reply reply;
  error = ask<methods::Open>(request, reply, {}, (how.flags & O_CLOEXEC) != 0);
  constexpr char terminal[] = "/dev/tty";
  if (how.resolve == 0 && location.path.size == sizeof terminal - 1 &&
      memcmp(location.path.data, terminal, sizeof terminal - 1) == 0) {
    return own_terminal(error != 0 ? error : reply.file, how.flags);
  }
  if (error != 0) return error;
  take_terminal(reply.file, location.path, how.flags);
  return reply.file;
}

// open(2) ignores what it does not know.
long open_at(long directory, const char *path, long flags, long mode) noexcept {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(static_cast<unsigned>(flags)) & known_flags;
  if ((how.flags & O_PATH) != 0) how.flags &= path_flags;
  if ((how.flags & (O_CREAT | temporary_flag)) != 0)
    how.mode = static_cast<std::uint64_t>(mode) & known_mode;
  return open_how_at(directory, path, how);
}

}  // namespace

long emulate_open(const Arguments &arguments) noexcept {
  return open_at(AT_FDCWD, arguments.pointer<const char>(0), arguments[1], arguments[2]);
}

long emulate_creat(const Arguments &arguments) noexcept {
  return open_at(AT_FDCWD, arguments.pointer<const char>(0), O_CREAT | O_WRONLY | O_TRUNC,
                 arguments[1]);
}

long emulate_openat(const Arguments &arguments) noexcept {
  return open_at(arguments[0], arguments.pointer<const char>(1), arguments[2], arguments[3]);
}

long emulate_openat2(const Arguments &arguments) noexcept {
  const auto *given = arguments.pointer<const unsigned char>(2);
  const auto size = static_cast<unsigned long>(arguments[3]);
  if (size < sizeof(open_how)) return -EINVAL;
  if (size > 4096) return -E2BIG;
  if (!may_read(given, size)) return -EFAULT;
  // A larger structure is of a later kernel; what this one does not know must be zero.
  for (unsigned long i = sizeof(open_how); i < size; ++i) {
    if (given[i] != 0) return -E2BIG;
  }
  open_how how;
  memcpy(&how, given, sizeof how);
  return open_how_at(arguments[0], arguments.pointer<const char>(1), how);
}

}  // namespace plash::engine
