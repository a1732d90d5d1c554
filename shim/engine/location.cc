// SPDX-License-Identifier: LGPL-2.1-or-later
#include "shim/engine/location.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <sys/socket.h>

#include "protocol/memory.h"
#include "protocol/system_call.h"
#include "shim/engine/path_text.h"

namespace plash::engine {
namespace {

// A pointer that low is a null pointer with an offset; above the highest, with five levels of page
// tables, begins the kernel's half. What lies outside needs no question.
constexpr unsigned long lowest_address = 4096;
constexpr unsigned long highest_address = (1ul << 56) - 4096;

bool may_be_mapped(const void *address) noexcept {
  const auto value = reinterpret_cast<unsigned long>(address);
  return value >= lowest_address && value < highest_address;
}

bool is_end_of_name(const Bytes &rest) noexcept { return rest.size == 0 || *rest.data == '/'; }

// Whether path begins with "/proc/self", "/proc/thread-self" or "/proc/PID", the process's own.
bool take_own_directory(const Bytes &path, Bytes &rest) noexcept {
  if (take_start(path, "/proc/self", rest) || take_start(path, "/proc/thread-self", rest))
    return true;
  Bytes digits;
  int process = 0;
  return take_start(path, "/proc/", digits) && take_number(digits, process, rest) &&
         process == system_call(__NR_getpid);
}

// The descriptor that the first components of path name, or -1; rest is what follows, from the
// slash.
int split_alias(const Bytes &path, Bytes &rest) noexcept {
  constexpr const char *standard[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
  for (int i = 0; i < 3; ++i) {
    if (take_start(path, standard[i], rest) && is_end_of_name(rest)) return i;
  }
  Bytes digits;
  if (!take_start(path, "/dev/fd/", digits)) {
    Bytes own;
    if (!take_own_directory(path, own) || !take_start(own, "/fd/", digits)) return -1;
  }
  int number = 0;
  if (!take_number(digits, number, rest) || !is_end_of_name(rest)) return -1;
  // What a door keeps open of the program's own, its file, has such a name too.
  return number == state.fs_op || number == state.cwd ? -1 : number;
}

// A relative path from what follows a name.
Bytes without_slashes(Bytes rest) noexcept {
  while (rest.size != 0 && *rest.data == '/') rest = {rest.data + 1, rest.size - 1};
  return rest.size != 0 ? rest : Bytes{".", 1};
}

// An absolute path that begins with another name of a descriptor: from there on.
long replace_alias(Last last, Location &location) noexcept {
  Bytes rest;
  if (is_own_working_directory(location.path, rest) && (rest.size != 0 || last == Last::follow)) {
    if (state.cwd < 0) return -ENOENT;
    location.base = state.cwd;
    location.path = without_slashes(rest);
    return 0;
  }
  const int alias = split_alias(location.path, rest);
  if (alias < 0 || (rest.size == 0 && last != Last::follow)) return 0;
  // A descriptor that is not open is a name that does not exist.
  if (system_call(__NR_fcntl, alias, F_GETFD) < 0) return -ENOENT;
  location.base = alias;
  if (rest.size == 0) {
    location.path = {"", 0};
    location.flags = AT_EMPTY_PATH;
    return 0;
  }
  location.path = without_slashes(rest);
  return 0;
}

}  // namespace

bool is_own_working_directory(const Bytes &path, Bytes &rest) noexcept {
  Bytes own;
  return take_own_directory(path, own) && take_start(own, "/cwd", rest) && is_end_of_name(rest);
}

bool may_read(const void *address, unsigned long size) noexcept {
  if (!may_be_mapped(address)) return false;
  return state.hooks.readable == nullptr || state.hooks.readable(address, size);
}

bool may_write(void *address, unsigned long size) noexcept {
  if (!may_be_mapped(address)) return false;
  return state.hooks.writable == nullptr || state.hooks.writable(address, size);
}

long take_string(const char *pointer, Bytes &bytes) noexcept {
  if (!may_be_mapped(pointer)) return -EFAULT;
  const bool readable = state.hooks.string_readable == nullptr ||
                        state.hooks.string_readable(pointer, max_path_size + 1);
  if (!readable) return -EFAULT;
  std::uint64_t size = 0;
  while (pointer[size] != '\0') {
    if (++size > max_path_size) return -ENAMETOOLONG;
  }
  bytes = {pointer, size};
  return 0;
}

int descriptor_alias(const Bytes &path) noexcept {
  Bytes rest;
  const int descriptor = split_alias(path, rest);
  return rest.size == 0 ? descriptor : -1;
}

long locate(long directory, const char *pointer, std::uint64_t flags, Last last,
            Location &location) noexcept {
  const bool may_be_empty = (flags & AT_EMPTY_PATH) != 0;
  const int descriptor = static_cast<int>(directory);
  if (pointer != nullptr || !may_be_empty) {
    const long error = take_string(pointer, location.path);
    if (error != 0) return error;
  } else {
    location.path = {"", 0};
  }
  if (location.path.size == 0) {
    if (!may_be_empty) return -ENOENT;
    location.flags = AT_EMPTY_PATH;
  } else if (location.path.data[0] == '/') {
    return last == Last::literal ? 0 : replace_alias(last, location);
  }
  if (descriptor == AT_FDCWD) {
    location.base = state.cwd;
    return state.cwd >= 0 ? 0 : -ENOENT;
  }
  if (descriptor < 0 || is_service(descriptor)) return -EBADF;
  location.base = descriptor;
  return 0;
}

long explain_bad_base(long error, int base) noexcept {
  return base == state.cwd && system_call(__NR_fcntl, base, F_GETFD) < 0 ? -ENOENT : error;
}

bool is_open_file(long descriptor) noexcept {
  const long flags = system_call(__NR_fcntl, static_cast<int>(descriptor), F_GETFL);
  return flags >= 0 && (flags & O_PATH) == 0;
}

int directory_tag(long descriptor) noexcept {
  int value = 0;
  socklen_t size = sizeof value;
  const int number = static_cast<int>(descriptor);
  if (system_call(__NR_getsockopt, number, SOL_SOCKET, SO_RCVLOWAT, as_argument(&value),
                  as_argument(&size)) != 0)
    return 0;
  return is_directory_tag(value) ? value : 0;
}

int open_directory(long descriptor) noexcept {
  const int tag = directory_tag(descriptor);
  if (tag == 0) return 0;
  return (tag & opened_for_path) != 0 ? -EBADF : 1;
}

long explain_read(long result, long descriptor) noexcept {
  if (result != 0 && result != -ESPIPE) return result;
  const int directory = open_directory(descriptor);
  if (directory == 0) return result;
  return directory > 0 ? -EISDIR : directory;
}

}  // namespace plash::engine
