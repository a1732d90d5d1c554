// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Calls that take a descriptor: those that could close a service descriptor, which the engine
// refuses, and those that a directory's descriptor answers otherwise than the socket that it is.
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

#include "shim/preload/directory_descriptor.h"
#include "shim/preload/wrap.h"

namespace plash::preload {
namespace {

// A directory's socket reads as the end of a file: nothing else costs more than the kernel's call.
ssize_t read_result(int fd, long result) noexcept {
  if (result == 0 && is_directory_descriptor(fd)) result = -EISDIR;
  return to_result<ssize_t>(result);
}

// Sockets have no position.
ssize_t pread_result(int fd, long result) noexcept {
  if (result == -ESPIPE && is_directory_descriptor(fd)) result = -EISDIR;
  return to_result<ssize_t>(result);
}

}  // namespace

PLASH_EXPORT(int, close, int fd) {
  if (!__libc_single_threaded) pthread_testcancel();
  return to_result(call(SYS_close, fd));
}
PLASH_ALIAS(__close, close);

PLASH_EXPORT(int, close_range, unsigned first, unsigned last, int flags) {
  return to_result(call(SYS_close_range, first, last, flags));
}

PLASH_EXPORT(void, closefrom, int first) {
  const int saved = errno;
  call(SYS_close_range, first < 0 ? 0 : first, ~0u, 0);
  errno = saved;
}

PLASH_EXPORT(int, dup, int fd) { return to_result(call(SYS_dup, fd)); }

PLASH_EXPORT(int, dup2, int fd, int new_fd) { return to_result(call(SYS_dup2, fd, new_fd)); }
PLASH_ALIAS(__dup2, dup2);

PLASH_EXPORT(int, dup3, int fd, int new_fd, int flags) {
  return to_result(call(SYS_dup3, fd, new_fd, flags));
}

PLASH_EXPORT(int, fcntl, int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  switch (command) {
    case F_SETLKW:
    case F_OFD_SETLKW:
      return to_result(cancellable_kernel_call(SYS_fcntl, fd, command, argument));
    case F_GETOWN: {
      // A process group's small number would look like an error in the kernel's own answer.
      f_owner_ex owner;
      const long result = call(SYS_fcntl, fd, F_GETOWN_EX, &owner);
      if (result < 0) return to_result(result);
      return owner.type == F_OWNER_PGRP ? -owner.pid : owner.pid;
    }
    default:
      return to_result(call(SYS_fcntl, fd, command, argument));
  }
}
PLASH_ALIAS(fcntl64, fcntl);
PLASH_ALIAS(__fcntl, fcntl);

PLASH_EXPORT(ssize_t, read, int fd, void *buffer, size_t size) {
  return read_result(fd, cancellable_kernel_call(SYS_read, fd, buffer, size));
}
PLASH_ALIAS(__read, read);

PLASH_EXPORT(ssize_t, __read_chk, int fd, void *buffer, size_t size, size_t buffer_size) {
  if (size > buffer_size) __chk_fail();
  return wrapped_read(fd, buffer, size);
}

PLASH_EXPORT(ssize_t, pread, int fd, void *buffer, size_t size, off_t offset) {
  return pread_result(fd, cancellable_kernel_call(SYS_pread64, fd, buffer, size, offset));
}
PLASH_ALIAS(pread64, pread);
PLASH_ALIAS(__pread64, pread);

PLASH_EXPORT(ssize_t, __pread_chk, int fd, void *buffer, size_t size, off_t offset,
             size_t buffer_size) {
  if (size > buffer_size) __chk_fail();
  return wrapped_pread(fd, buffer, size, offset);
}
PLASH_ALIAS(__pread64_chk, __pread_chk);

PLASH_EXPORT(ssize_t, readv, int fd, const struct iovec *parts, int count) {
  return read_result(fd, cancellable_kernel_call(SYS_readv, fd, parts, count));
}

PLASH_EXPORT(ssize_t, preadv, int fd, const struct iovec *parts, int count, off_t offset) {
  // The kernel takes the offset in two words; the first holds all of it on x86-64.
  return pread_result(fd, cancellable_kernel_call(SYS_preadv, fd, parts, count, offset, 0));
}
PLASH_ALIAS(preadv64, preadv);

PLASH_EXPORT(ssize_t, preadv2, int fd, const struct iovec *parts, int count, off_t offset,
             int flags) {
  // Offset -1 stands for the file's own position.
  const long result = cancellable_kernel_call(SYS_preadv2, fd, parts, count, offset, 0, flags);
  return offset == -1 ? read_result(fd, result) : pread_result(fd, result);
}
PLASH_ALIAS(preadv64v2, preadv2);

PLASH_EXPORT(off_t, lseek, int fd, off_t offset, int whence) {
  long result = system_call(SYS_lseek, fd, offset, whence);
  if (result == -ESPIPE) result = call(SYS_lseek, fd, offset, whence);
  return to_result<off_t>(result);
}
PLASH_ALIAS(lseek64, lseek);
PLASH_ALIAS(llseek, lseek);
PLASH_ALIAS(__lseek, lseek);

PLASH_EXPORT(int, flock, int fd, int operation) {
  return to_result(call(SYS_flock, fd, operation));
}

PLASH_EXPORT(int, fsync, int fd) { return to_result(cancellable_call(SYS_fsync, fd)); }

PLASH_EXPORT(int, fdatasync, int fd) { return to_result(cancellable_call(SYS_fdatasync, fd)); }

PLASH_EXPORT(int, syncfs, int fd) { return to_result(call(SYS_syncfs, fd)); }

}  // namespace plash::preload
