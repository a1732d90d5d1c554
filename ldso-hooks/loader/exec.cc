// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/exec.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "ldso-hooks/loader/descriptor_room.h"
#include "ldso-hooks/loader/elf_image.h"
#include "ldso-hooks/loader/exec_message.h"
#include "ldso-hooks/loader/message.h"
#include "ldso-hooks/loader/own_executable.h"
#include "ldso-hooks/loader/service_descriptors.h"
#include "ldso-hooks/loader/trace_me.h"
#include "ldso-hooks/loader/user_memory.h"
#include "protocol/memory.h"
#include "protocol/system_call.h"
#include "shim/engine/location.h"

namespace plash::loader {
namespace {

// Enough for the words of a #! line and an interpreter's path as they are met; more comes from
// mmap(2).
constexpr unsigned long small_reply = 320;
constexpr unsigned long large_reply = 16 * 1024;
constexpr unsigned long small_vector = 48;

// Memory for a short while, from mmap(2) where it does not fit into the object. In a vfork child
// whose exec succeeds, the parent is left with the mapping; hence the small sizes inside.
template <class T, unsigned long small_count>
class Room {
 public:
  Room() = default;
  ~Room() {
    if (mapped_ != 0) system_call(__NR_munmap, as_argument(data_), static_cast<long>(mapped_));
  }
  Room(const Room &) = delete;
  Room &operator=(const Room &) = delete;
  bool grow(unsigned long count) noexcept {
    if (count <= small_count) return true;
    const unsigned long size = count * sizeof(T);
    const long result = system_call(__NR_mmap, 0, static_cast<long>(size), PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (result < 0 && result > -4096) return false;
    data_ = reinterpret_cast<T *>(result);
    mapped_ = size;
    return true;
  }
  T *data() noexcept { return data_; }

 private:
  T small_[small_count];
  T *data_ = small_;
  unsigned long mapped_ = 0;
};

// What the kernel calls the program: AT_EXECFN, and what a script's interpreter is given (exec.c,
// alloc_bprm()).
class Name {
 public:
  Name(int directory, const char *path) noexcept : path_(path) {
    if (directory == AT_FDCWD || path[0] == '/') {
      prefix_[0] = '\0';
      return;
    }
    constexpr char start[] = "/dev/fd/";
    memcpy(prefix_, start, sizeof start);
    char *end = prefix_ + sizeof start - 1;
    int divisor = 1;
    while (directory / divisor >= 10) divisor *= 10;
    for (; divisor != 0; divisor /= 10) *end++ = static_cast<char>('0' + directory / divisor % 10);
    if (path[0] != '\0') *end++ = '/';
    *end = '\0';
  }
  const char *prefix() const noexcept { return prefix_; }
  const char *path() const noexcept { return path_; }
  unsigned long size() const noexcept { return strlen(prefix_) + strlen(path_) + 1; }
  char *copy(char *to) const noexcept {
    const unsigned long prefix_size = strlen(prefix_);
    memcpy(to, prefix_, prefix_size);
    memcpy(to + prefix_size, path_, strlen(path_) + 1);
    return to;
  }

 private:
  const char *path_;
  char prefix_[24];
};

struct Resolved {
  int file = -1;
  unsigned long prefix_count = 0;
  Bytes prefix;
  Bytes interpreter;
};

long resolve(const engine::Location &location, int flags, Buffer room,
             Resolved &resolved) noexcept {
  methods::Exec::Request request;
  request.flags = static_cast<unsigned>(flags & AT_SYMLINK_NOFOLLOW);
  engine::set_location(request, location);
  request.size = room.size;
  methods::Exec::Reply reply;
  const long result = engine::ask<methods::Exec>(request, reply, room);
  if (result != 0) return result;
  resolved = {reply.file, reply.prefix_count, reply.prefix, reply.interpreter};
  return 0;
}

// argv of a script's interpreter: the words before the script, its name, and the script's own
// arguments without the first.
long build_arguments(const Resolved &resolved, char *name, char **arguments,
                     Room<char *, small_vector> &vector) noexcept {
  unsigned long count = 0;
  if (arguments != nullptr) {
    for (;; ++count) {
      if (!readable(arguments + count, sizeof *arguments)) return -EFAULT;
      if (arguments[count] == nullptr) break;
    }
  }
  if (!vector.grow(resolved.prefix_count + count + 3)) return -ENOMEM;
  char **to = vector.data();
  const char *word = resolved.prefix.data;
  for (unsigned long i = 0; i < resolved.prefix_count; ++i) {
    *to++ = const_cast<char *>(word);
    word += strlen(word) + 1;
  }
  *to++ = name;
  for (unsigned long i = 1; i < count; ++i) *to++ = arguments[i];
  *to = nullptr;
  return 0;
}

// Whether the kernel, looking for the interpreter at path, finds this loader: in the sandbox's own
// root, where the launcher has put it, it does.
bool kernel_finds_loader(const Bytes &path) noexcept {
  char name[64];
  if (path.size == 0 || path.size >= sizeof name) return false;
  memcpy(name, path.data, path.size);
  name[path.size] = '\0';
  struct stat found;
  struct stat loader;
  return system_call(__NR_stat, as_argument(name), as_argument(&found)) == 0 &&
         system_call(__NR_fstat, loader_descriptor, as_argument(&loader)) == 0 &&
         found.st_ino == loader.st_ino && found.st_dev == loader.st_dev;
}

constexpr long unreadable = 1;

// Whether the loader could start the file; the kernel gets to see only the loader then. unreadable
// where it may be executed and not read: only the kernel could.
long check_program(int file) noexcept {
  Elf64_Ehdr header;
  const long size = system_call(__NR_pread64, file, as_argument(&header), sizeof header, 0);
  if (size == -EBADF) {  // O_PATH
    constexpr char usual[] = "/lib64/ld-linux-x86-64.so.2";
    return kernel_finds_loader({usual, sizeof usual - 1}) ? unreadable : -EACCES;
  }
  if (size < 0) return size;
  if (size < static_cast<long>(sizeof header)) return -ENOEXEC;
  const long result = check_elf_header(header);
  if (result != -ENOSYS) return result;
  say("refused to execute a 32-bit or x32 program: only 64-bit ones are served");
  return -ENOEXEC;
}

// Leaves what the new image needs and enters it.
long enter(const Resolved &resolved, bool readable, const Name &name, char **arguments,
           char **environment, SignalSet mask, DescriptorRoom &room) noexcept {
  long result = leave_exec_message(name.prefix(), name.path());
  if (result < 0) return result;
  int file = resolved.file;
  result = system_call(__NR_dup2, file, program_descriptor);
  if (readable && !kernel_finds_loader(resolved.interpreter)) file = loader_descriptor;
  room.restore();
  if (result >= 0) {
    trace_me_now();
    set_signal_mask(mask & ~sigsys_bit);
    result = system_call(__NR_execveat, file, as_argument(""), as_argument(arguments),
                         as_argument(environment), AT_EMPTY_PATH);
    // The kernel knows the sandbox by another user ID than the server, which says that the program
    // may be executed (pola-run's isolation_ids.cc): the loader maps it then.
    if (result == -EACCES && readable && file != loader_descriptor) {
      result = system_call(__NR_execveat, loader_descriptor, as_argument(""),
                           as_argument(arguments), as_argument(environment), AT_EMPTY_PATH);
    }
    set_signal_mask(all_signals);
    // A script, whose interpreter the kernel does not find. Most could not have read it.
    if (result == -ENOENT && !readable) result = -EACCES;
  }
  reserve_descriptor(program_descriptor);
  reserve_descriptor(message_descriptor);
  return result;
}

}  // namespace

long execute(int directory, const char *path, char **arguments, char **environment, int flags,
             SignalSet mask) noexcept {
  if ((flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) != 0) return -EINVAL;
  engine::Location location;
  const auto last = (flags & AT_SYMLINK_NOFOLLOW) != 0 ? engine::Last::keep : engine::Last::follow;
  Bytes given;
  long result = path != nullptr ? engine::take_string(path, given) : 0;
  if (result != 0) return result;
  result = engine::locate(directory, path != nullptr ? resolve_own_executable(path) : path,
                          static_cast<unsigned>(flags), last, location);
  if (result != 0) return result;

  DescriptorRoom descriptor_room;
  Room<char, small_reply> reply;
  Resolved resolved;
  result = resolve(location, flags, {reply.data(), small_reply}, resolved);
  if (result == -E2BIG) {
    if (!reply.grow(large_reply)) return -ENOMEM;
    result = resolve(location, flags, {reply.data(), large_reply}, resolved);
  }
  if (result != 0) return result;

  const Name name(directory, path != nullptr ? path : "");
  Room<char, 64> name_room;
  Room<char *, small_vector> vector;
  result = check_program(resolved.file);
  const bool readable = result != unreadable;
  if (!readable) result = 0;
  if (result == 0 && resolved.prefix_count != 0) {
    const bool by_descriptor = location.base >= 0 && location.base != cwd_descriptor;
    if (by_descriptor && (system_call(__NR_fcntl, location.base, F_GETFD) & FD_CLOEXEC) != 0) {
      result = -ENOENT;  // its interpreter could not open the script
    } else if (!name_room.grow(name.size())) {
      result = -ENOMEM;
    } else {
      result = build_arguments(resolved, name.copy(name_room.data()), arguments, vector);
      arguments = vector.data();
    }
  }
  if (result == 0)
    result = enter(resolved, readable, name, arguments, environment, mask, descriptor_room);
  system_call(__NR_close, resolved.file);
  return result;
}

}  // namespace plash::loader
