// SPDX-License-Identifier: LGPL-2.1-or-later
//
// From the pair of a directory descriptor and a path, as system calls take it, to base and path, as
// methods do. Async-signal-safe.
#pragma once

#include <errno.h>
#include <fcntl.h>

#include "protocol/call.h"
#include "shim/engine/state.h"

namespace plash::engine {

// A system call's arguments as they came. What the kernel takes as an int is taken as one here:
// upper halves may hold anything.
struct Arguments {
  long value[6];
  long operator[](int index) const noexcept { return value[index]; }
  int number(int index) const noexcept { return static_cast<int>(value[index]); }
  unsigned bits(int index) const noexcept { return static_cast<unsigned>(value[index]); }
  template <class T>
  T *pointer(int index) const noexcept {
    return reinterpret_cast<T *>(value[index]);
  }
};

struct Location {
  int base = -1;
  Bytes path;
  std::uint64_t flags = 0;  // AT_EMPTY_PATH where base itself is meant
};

// Whether a final symlink counts as what it leads to. literal: as keep, and other names of
// descriptors (/dev/fd/N) have no meaning either.
enum class Last { follow, keep, literal };

// Takes the path at pointer, relative to directory (AT_FDCWD: the working directory). flags: the
// call's own; with AT_EMPTY_PATH an empty or missing path means directory itself. A path that is
// another name of an open descriptor (/proc/self/fd/N, /dev/fd/N, /dev/stdin) means that
// descriptor, if the last component is followed. 0, or -EFAULT, -ENOENT, -ENAMETOOLONG, -EBADF.
long locate(long directory, const char *pointer, std::uint64_t flags, Last last,
            Location &location) noexcept;

// The descriptor that path is another name for, or -1.
int descriptor_alias(const Bytes &path) noexcept;

// Whether path begins with the process's own working directory, /proc/self/cwd; rest is what
// follows, from the slash.
bool is_own_working_directory(const Bytes &path, Bytes &rest) noexcept;

// Measures the NUL-terminated string at pointer. 0, or -EFAULT, -ENAMETOOLONG beyond 4095 bytes.
long take_string(const char *pointer, Bytes &bytes) noexcept;

// Whether memory of the program can be accessed, as the door has it. Where the door cannot tell,
// only what can be no address is refused.
bool may_read(const void *address, unsigned long size) noexcept;
bool may_write(void *address, unsigned long size) noexcept;

// Whether descriptor is open, and for more than its path (O_PATH).
bool is_open_file(long descriptor) noexcept;

// The tag of a directory object's socket (protocol/packet.h), 0 for every other descriptor: one
// getsockopt(2), which fails at once for anything but a socket.
int directory_tag(long descriptor) noexcept;
inline bool is_directory_object(long descriptor) noexcept { return directory_tag(descriptor) != 0; }

// 1 for a directory, 0 for anything else, -EBADF for a directory that was opened for its path alone
// (O_PATH).
int open_directory(long descriptor) noexcept;

// What a read of descriptor gives where the kernel's result is result. A directory's socket reads
// as the end of a file, and has no position to read at: EISDIR.
long explain_read(long result, long descriptor) noexcept;

// ENOENT where a call failed with EBADF because there is no working directory; error otherwise.
long explain_bad_base(long error, int base) noexcept;

// Calls a method of object.
template <class M>
inline long ask_object(int object, const typename M::Request &request, typename M::Reply &reply,
                       Buffer tail = {}, bool close_on_exec = true) noexcept {
  return invoke_by<M>(
      [object](Call &message) noexcept { return kept_call(state.sessions, object, message); },
      request, reply, tail, close_on_exec, state.hooks.wait);
}

// Calls a method of fs_op.
template <class M>
inline long ask(const typename M::Request &request, typename M::Reply &reply, Buffer tail = {},
                bool close_on_exec = true) noexcept {
  const long error = ask_object<M>(state.fs_op, request, reply, tail, close_on_exec);
  if constexpr (requires { request.base; }) {
    if (error == -EBADF) return explain_bad_base(error, request.base);
  }
  return error;
}

// Fills the fields that every path method has.
template <class Request>
inline void set_location(Request &request, const Location &location) noexcept {
  request.base = location.base;
  request.path = location.path;
  if constexpr (requires { request.flags; }) request.flags |= location.flags;
}

}  // namespace plash::engine
