// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fopen(3), fdopen(3), freopen(3) and setmntent(3): libc's streams over descriptors that the engine
// opened.
#include "shim/preload/stream.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/preload/directory_descriptor.h"
#include "shim/preload/stream_mode.h"
#include "shim/preload/wrap.h"

// Parts of libc's streams that it exports, though no header has them (glibc 2.2.5 on).
extern "C" {
FILE *_IO_fdopen(int fd, const char *mode);  // libc's own fdopen(3)
int _IO_file_close_it(FILE *stream);
FILE *_IO_file_attach(FILE *stream, int fd);
void _IO_link_in(FILE *stream);
extern const char _IO_file_jumps[];
}

namespace plash::preload {
namespace {

// Bits of FILE::_flags (libio.h, unchanged since glibc 2.0).
constexpr int no_reads = 0x4;
constexpr int no_writes = 0x8;
constexpr int delete_dont_close = 0x40;
constexpr int is_appending = 0x1000;
constexpr int is_filebuf = 0x2000;

// The functions of a stream stand behind its fields.
const void *&functions(FILE *stream) noexcept {
  return *reinterpret_cast<const void **>(stream + 1);
}

long open_for_stream(const char *path, const char *mode) {
  return cancellable_call(SYS_openat, AT_FDCWD, path, stream_open_flags(mode), 0666);
}

ssize_t read_directory(void *cookie, char *buffer, size_t size) {
  return read(static_cast<int>(reinterpret_cast<long>(cookie)), buffer, size);
}

int close_directory(void *cookie) {
  return close(static_cast<int>(reinterpret_cast<long>(cookie)));
}

// A stream on a directory can be opened, and reading from it fails: not so libc's own read(2) of a
// directory's socket, so this one reads through ours.
FILE *new_directory_stream(int fd, const char *mode) noexcept {
  cookie_io_functions_t functions = {};
  functions.read = read_directory;
  functions.close = close_directory;
  FILE *stream = fopencookie(reinterpret_cast<void *>(static_cast<long>(fd)), mode, functions);
  if (stream != nullptr) stream->_fileno = fd;
  return stream;
}

FILE *new_stream(int fd, const char *mode) noexcept {
  if (!is_set_up) set_up();
  if (!passes_through && is_directory_descriptor(fd)) {
    // The kernel opens directories for reading only.
    if ((stream_open_flags(mode) & O_ACCMODE) != O_RDONLY) return fail_null<FILE>(EINVAL);
    return new_directory_stream(fd, mode);
  }
  return _IO_fdopen(fd, mode);
}

}  // namespace

FILE *open_stream(const char *path, const char *mode) {
  if (stream_open_flags(mode) < 0) return fail_null<FILE>(EINVAL);
  if (has_conversion(mode)) {
    if (!is_set_up) set_up();
    auto *real = next<FILE *(const char *, const char *)>("fopen");
    return passes_through && real != nullptr ? real(path, mode) : fail_null<FILE>(EINVAL);
  }
  const int saved = errno;
  const long fd = open_for_stream(path, mode);
  if (fd < 0) return fail_null<FILE>(static_cast<int>(-fd));
  FILE *stream = new_stream(static_cast<int>(fd), mode);
  if (stream == nullptr) {
    const int error = errno;
    call(SYS_close, fd);
    return fail_null<FILE>(error);
  }
  errno = saved;
  return stream;
}

PLASH_EXPORT(FILE *, fopen, const char *path, const char *mode) { return open_stream(path, mode); }
PLASH_ALIAS(fopen64, fopen);
PLASH_ALIAS(_IO_fopen, fopen);

PLASH_EXPORT(FILE *, fdopen, int fd, const char *mode) { return new_stream(fd, mode); }

PLASH_EXPORT(FILE *, setmntent, const char *path, const char *mode) {
  FILE *stream = open_stream(path, mode);
  if (stream != nullptr) {
    call(SYS_fcntl, fileno(stream), F_SETFD, FD_CLOEXEC);
    // As in glibc the stream is for one thread.
    auto *set_locking = next<int(FILE *, int)>("__fsetlocking");
    if (set_locking != nullptr) set_locking(stream, 2 /* FSETLOCKING_BYCALLER */);
  }
  return stream;
}
PLASH_ALIAS(__setmntent, setmntent);

namespace {

// Makes a stream, closed but for its descriptor number, a stream of fd again.
FILE *attach(FILE *stream, int fd, int flags) noexcept {
  const int saved = errno;
  if (_IO_file_attach(stream, fd) == nullptr) return nullptr;
  errno = saved;
  int bits = (flags & O_ACCMODE) == O_RDONLY   ? no_writes
             : (flags & O_ACCMODE) == O_WRONLY ? no_reads
                                               : 0;
  if ((flags & O_APPEND) != 0) bits |= is_appending;
  stream->_flags &= ~(no_reads | no_writes | is_appending | delete_dont_close);
  stream->_flags |= bits;
  _IO_link_in(stream);
  if ((flags & O_APPEND) != 0 && (flags & O_ACCMODE) == O_RDWR) fseeko(stream, 0, SEEK_END);
  return stream;
}

// The stream's own file once more. Where there is a server, that is another descriptor of what is
// open, if that allows as much: nobody has the file's name.
long open_same(const char *mode, int fd) {
  if (passes_through) {
    char name[32];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return open_for_stream(name, mode);
  }
  const long old_flags = call(SYS_fcntl, fd, F_GETFL);
  if (old_flags < 0) return old_flags;
  const int flags = stream_open_flags(mode);
  const long old_access = old_flags & O_ACCMODE;
  if (old_access != O_RDWR && old_access != (flags & O_ACCMODE)) return -EACCES;
  if ((flags & O_TRUNC) != 0 && ftruncate(fd, 0) != 0) return -errno;
  call(SYS_fcntl, fd, F_SETFL, (old_flags & ~O_APPEND) | (flags & O_APPEND));
  call(SYS_lseek, fd, 0, SEEK_SET);
  return call(SYS_fcntl, fd, (flags & O_CLOEXEC) != 0 ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
}

// Closes the old file and opens the new one under the same number, which is not free in between.
FILE *open_over(const char *path, const char *mode, FILE *stream) {
  fflush_unlocked(stream);
  if ((stream->_flags & is_filebuf) == 0) return nullptr;
  const int old_fd = stream->_fileno;
  if (old_fd >= 0) {
    // _IO_file_close_it() closes the descriptor that the stream has: another one of the same file.
    const long spare = call(SYS_fcntl, old_fd, F_DUPFD_CLOEXEC, 0);
    if (spare < 0) return fail_null<FILE>(static_cast<int>(-spare));
    stream->_fileno = static_cast<int>(spare);
    _IO_file_close_it(stream);
  }
  functions(stream) = _IO_file_jumps;  // a wide stream, or a mapped one, becomes a plain one
  stream->_mode = 0;                   // neither bytes nor wide characters yet
  const int flags = stream_open_flags(mode);
  const long fd = flags < 0         ? -EINVAL
                  : path != nullptr ? open_for_stream(path, mode)
                                    : open_same(mode, old_fd);
  if (fd < 0) {
    if (old_fd >= 0) call(SYS_close, old_fd);
    return fail_null<FILE>(static_cast<int>(-fd));
  }
  if (old_fd < 0 || fd == old_fd) return attach(stream, static_cast<int>(fd), flags);
  const long result = call(SYS_dup3, fd, old_fd, flags & O_CLOEXEC);
  call(SYS_close, fd);
  if (result < 0) return fail_null<FILE>(static_cast<int>(-result));
  return attach(stream, old_fd, flags);
}

}  // namespace

PLASH_EXPORT(FILE *, freopen, const char *path, const char *mode, FILE *stream) {
  if (has_conversion(mode)) {
    if (!is_set_up) set_up();
    auto *real = next<FILE *(const char *, const char *, FILE *)>("freopen");
    return passes_through && real != nullptr ? real(path, mode, stream) : fail_null<FILE>(EINVAL);
  }
  flockfile(stream);
  FILE *result = open_over(path, mode, stream);
  funlockfile(stream);
  return result;
}
PLASH_ALIAS(freopen64, freopen);

}  // namespace plash::preload
