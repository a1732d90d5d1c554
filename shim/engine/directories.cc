// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Calls on an open directory, which is a directory object's socket. On any other descriptor they
// are the kernel's own.
#include <asm/unistd_64.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/socket.h>

#include "protocol/memory.h"
#include "protocol/system_call.h"
#include "shim/engine/handlers.h"
#include "shim/engine/path_text.h"

namespace plash::engine {
namespace {

constexpr std::uint64_t largest_page = 60 * 1024;  // fits into a packet

// Where a linux_dirent64 holds its size and its name.
constexpr long entry_size_offset = 16;
constexpr long entry_name_offset = 19;

long entry_size(const char *entry) noexcept {
  unsigned short size;
  memcpy(&size, entry + entry_size_offset, sizeof size);
  return size;
}

Bytes entry_name(const char *entry) noexcept {
  const char *const name = entry + entry_name_offset;
  return {name, strlen(name)};
}

bool is_number(const Bytes &text, int &number) noexcept {
  Bytes rest;
  return take_number(text, number, rest) && rest.size == 0;
}

// Whether the first of entries that is neither "." nor ".." is a number, as all are where
// descriptors are listed.
bool may_be_descriptors(const char *entries, long size) noexcept {
  for (long at = 0; at < size; at += entry_size(entries + at)) {
    const Bytes name = entry_name(entries + at);
    int number;
    if (name.data[0] != '.') return is_number(name, number);
  }
  return false;
}

// The longest that names a process's directory or its descriptors is shorter.
using ProcessPath = char[64];

// The process that a directory object of procfs is of, 0 for other directories; rest is what
// follows its number in path.
int process_of(int directory, ProcessPath &path, Bytes &rest) noexcept {
  methods::DirectoryPath::Request request;
  request.size = sizeof path;
  methods::DirectoryPath::Reply reply;
  int process;
  return invoke<methods::DirectoryPath>(directory, request, reply, {path, sizeof path}) == 0 &&
                 take_start(reply.path, "/proc/", rest) && take_number(rest, process, rest)
             ? process
             : 0;
}

// The process whose descriptors a directory object lists (/proc/N/fd, /proc/N/task/N/fdinfo), 0
// where it lists other things.
int process_of_descriptors(int directory) noexcept {
  ProcessPath path;
  Bytes rest;
  int thread;
  const int process = process_of(directory, path, rest);
  if (process == 0) return 0;
  if (take_start(rest, "/task/", rest) && !take_number(rest, thread, rest)) return 0;
  return take_start(rest, "/fd", rest) &&
                 (rest.size == 0 || (take_start(rest, "info", rest) && rest.size == 0))
             ? process
             : 0;
}

// Takes out of a list of descriptors those that are the door's: the service descriptors, which have
// the same numbers in all processes, and in the caller's own list what was only there for the call.
long hide_own_descriptors(char *entries, long size, bool of_caller) noexcept {
  long kept = 0;
  for (long at = 0; at < size;) {
    char *const entry = entries + at;
    const long record = entry_size(entry);
    at += record;
    int number;
    if (is_number(entry_name(entry), number) &&
        (is_service(number) || (of_caller && system_call(__NR_fcntl, number, F_GETFD) == -EBADF))) {
      continue;
    }
    memmove(entries + kept, entry, static_cast<std::size_t>(record));
    kept += record;
  }
  return kept;
}

bool position_was_changed(int directory) noexcept {
  int changed = 0;
  unsigned size = sizeof changed;
  return system_call(__NR_getsockopt, directory, SOL_SOCKET, SO_BROADCAST, as_argument(&changed),
                     as_argument(&size)) != 0 ||
         changed != 0;
}

void note_change_of_position(int directory) noexcept {
  const int changed = 1;
  system_call(__NR_setsockopt, directory, SOL_SOCKET, SO_BROADCAST, as_argument(&changed),
              sizeof changed);
}

void note_end(int directory, int tag) noexcept {
  tag |= listed_to_end;
  system_call(__NR_setsockopt, directory, SOL_SOCKET, SO_RCVLOWAT, as_argument(&tag), sizeof tag);
}

// getdents64(2) on a directory object with this tag.
long list(const Arguments &arguments, int tag) noexcept {
  if ((tag & opened_for_path) != 0) return -EBADF;
  const int directory = arguments.number(0);
  if ((tag & listed_to_end) != 0 && !position_was_changed(directory)) return 0;
  methods::ListDirectory::Request request;
  request.size = arguments.bits(2) < largest_page ? arguments.bits(2) : largest_page;
  if (!may_write(arguments.pointer<char>(1), 8)) return -EFAULT;
  char *const entries = arguments.pointer<char>(1);
  for (;;) {
    methods::ListDirectory::Reply reply;
    const long error =
        ask_object<methods::ListDirectory>(directory, request, reply, {entries, request.size});
    if (error != 0) return error;
    if (reply.at_end != 0) note_end(directory, tag);
    const auto size = static_cast<long>(reply.entries.size);
    const int process = may_be_descriptors(entries, size) ? process_of_descriptors(directory) : 0;
    if (process == 0) return size;
    const long kept = hide_own_descriptors(entries, size, process == system_call(__NR_getpid));
    if (kept != 0 || reply.at_end != 0) return kept;
  }
}

// linux_dirent64 to linux_dirent, in place: the sizes are the same, the type moves from before the
// name to the record's last byte.
void to_old_format(char *entries, long size) noexcept {
  constexpr long type_offset = 18;
  for (long at = 0; at < size;) {
    char *entry = entries + at;
    const long record = entry_size(entry);
    const char type = entry[type_offset];
    memmove(entry + type_offset, entry + type_offset + 1,
            static_cast<std::size_t>(record - type_offset - 1));
    entry[record - 1] = type;
    at += record;
  }
}

// The kernel's read call, of which 0 may mean that the descriptor is a directory's.
long read_unless_directory(long number, const Arguments &arguments) noexcept {
  if (is_service(arguments[0])) return -EBADF;
  return explain_read(call_kernel(number, arguments), arguments[0]);
}

long sync(long number, const Arguments &arguments, bool data_only) noexcept {
  const int directory = open_directory(arguments[0]);
  if (directory <= 0) return directory < 0 ? directory : call_kernel(number, arguments);
  methods::SyncDirectory::Request request;
  request.data_only = data_only ? 1 : 0;
  methods::SyncDirectory::Reply reply;
  return ask_object<methods::SyncDirectory>(arguments.number(0), request, reply);
}

}  // namespace

long emulate_getdents64(const Arguments &arguments) noexcept {
  if (is_service(arguments[0])) return -EBADF;
  const int tag = directory_tag(arguments[0]);
  return tag != 0 ? list(arguments, tag) : call_kernel(__NR_getdents64, arguments);
}

long emulate_getdents(const Arguments &arguments) noexcept {
  if (is_service(arguments[0])) return -EBADF;
  const int tag = directory_tag(arguments[0]);
  if (tag == 0) return call_kernel(__NR_getdents, arguments);
  const long size = list(arguments, tag);
  if (size > 0) to_old_format(arguments.pointer<char>(1), size);
  return size;
}

long emulate_lseek(const Arguments &arguments) noexcept {
  if (is_service(arguments[0])) return -EBADF;
  const long result = call_kernel(__NR_lseek, arguments);
  if (result != -ESPIPE) return result;
  const int directory = open_directory(arguments[0]);
  if (directory <= 0) return directory < 0 ? directory : result;
  note_change_of_position(arguments.number(0));
  methods::SeekDirectory::Request request;
  request.offset = arguments[1];
  request.whence = arguments.bits(2);
  methods::SeekDirectory::Reply reply;
  const long error = ask_object<methods::SeekDirectory>(arguments.number(0), request, reply);
  return error != 0 ? error : reply.position;
}

long emulate_read(const Arguments &arguments) noexcept {
  return read_unless_directory(__NR_read, arguments);
}
long emulate_readv(const Arguments &arguments) noexcept {
  return read_unless_directory(__NR_readv, arguments);
}
long emulate_pread64(const Arguments &arguments) noexcept {
  return read_unless_directory(__NR_pread64, arguments);
}
long emulate_preadv(const Arguments &arguments) noexcept {
  return read_unless_directory(__NR_preadv, arguments);
}
long emulate_preadv2(const Arguments &arguments) noexcept {
  return read_unless_directory(__NR_preadv2, arguments);
}

long emulate_flock(const Arguments &arguments) noexcept {
  if (is_service(arguments[0])) return -EBADF;
  const int directory = open_directory(arguments[0]);
  if (directory <= 0) return directory < 0 ? directory : call_kernel(__NR_flock, arguments);
  methods::LockDirectory::Request request;
  request.operation = arguments.bits(1);
  methods::LockDirectory::Reply reply;
  return ask_object<methods::LockDirectory>(arguments.number(0), request, reply);
}

long emulate_fsync(const Arguments &arguments) noexcept {
  return sync(__NR_fsync, arguments, false);
}
long emulate_fdatasync(const Arguments &arguments) noexcept {
  return sync(__NR_fdatasync, arguments, true);
}

// A directory of procfs is a descriptor of its process too.
long emulate_pidfd_send_signal(const Arguments &arguments) noexcept {
  if (is_service(arguments[0])) return -EBADF;
  if (!is_directory_object(arguments[0])) return call_kernel(__NR_pidfd_send_signal, arguments);
  ProcessPath path;
  Bytes rest;
  const int process = process_of(arguments.number(0), path, rest);
  if (process == 0 || rest.size != 0) return -EBADF;
  const long descriptor = system_call(__NR_pidfd_open, process, 0);
  if (descriptor < 0) return descriptor;
  const long result =
      system_call(__NR_pidfd_send_signal, descriptor, arguments[1], arguments[2], arguments[3]);
  system_call(__NR_close, descriptor);
  return result;
}

long emulate_inotify_add_watch(const Arguments &arguments) noexcept {
  const Last last = (arguments.bits(2) & IN_DONT_FOLLOW) != 0 ? Last::keep : Last::follow;
  Location location;
  const long error = locate(AT_FDCWD, arguments.pointer<const char>(1), 0, last, location);
  if (error != 0) return error;
  if (arguments.number(0) < 0 || is_service(arguments[0])) return -EBADF;
  methods::InotifyAddWatch::Request request;
  set_location(request, location);
  request.inotify = arguments.number(0);
  request.mask = arguments.bits(2);
  methods::InotifyAddWatch::Reply reply;
  const long result = ask<methods::InotifyAddWatch>(request, reply);
  return result != 0 ? result : reply.watch;
}

}  // namespace plash::engine
