// SPDX-License-Identifier: LGPL-2.1-or-later
//
// execve(2): the server finds the file and follows its #! lines, the kernel executes the descriptor
// that it answers with.
#include <asm/unistd_64.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "protocol/memory.h"
#include "protocol/system_call.h"
#include "shim/engine/handlers.h"

namespace plash::engine {
namespace {

constexpr std::uint64_t prefix_room = 2048;  // for the words of #! lines
constexpr std::uint64_t name_room = 24;      // "/dev/fd/NUMBER/"
constexpr char preload_name[] = "LD_PRELOAD";

std::uint64_t count_strings(char *const *strings) noexcept {
  std::uint64_t count = 0;
  while (strings != nullptr && strings[count] != nullptr) ++count;
  return count;
}

bool is_variable(const char *entry, const char *name) noexcept {
  while (*name != '\0' && *entry == *name) {
    ++entry;
    ++name;
  }
  return *name == '\0' && *entry == '=';
}

// Memory for the new image's vectors. In a vfork(2) child it is the parent's too: given back when
// the exec fails; when it succeeds the parent keeps it, a few pages for each exec that needed any.
class Memory {
 public:
  explicit Memory(std::uint64_t size) noexcept : size_(size) {
    address_ = system_call(__NR_mmap, 0, static_cast<long>(size), PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }
  ~Memory() {
    if (good()) system_call(__NR_munmap, address_, static_cast<long>(size_));
  }
  Memory(const Memory &) = delete;
  Memory &operator=(const Memory &) = delete;
  bool good() const noexcept { return address_ >= 0 || address_ <= -4096; }
  char *bytes() const noexcept { return reinterpret_cast<char *>(address_); }

 private:
  std::uint64_t size_;
  long address_;
};

// The path of a program given by a directory descriptor, as the kernel names it: /dev/fd/N or
// /dev/fd/N/path.
char *name_script(char *to, int directory, const Bytes &path) noexcept {
  char *name = to;
  if (directory >= 0) {
    constexpr char start[] = "/dev/fd/";
    memcpy(to, start, sizeof start - 1);
    to += sizeof start - 1;
    char digits[12];
    int count = 0;
    do {
      digits[count++] = static_cast<char>('0' + directory % 10);
      directory /= 10;
    } while (directory != 0);
    while (count != 0) *to++ = digits[--count];
    if (path.size != 0) *to++ = '/';
  }
  memcpy(to, path.data, path.size);
  to[path.size] = '\0';
  return name;
}

class Image {
 public:
  long execute(const Location &location, int directory, std::uint64_t flags, char *const *arguments,
               char *const *environment) noexcept {
    const std::uint64_t argument_count = count_strings(arguments);
    const std::uint64_t environment_count = count_strings(environment);
    const std::uint64_t size = prefix_room + capabilities_room + name_room + location.path.size +
                               1 + (argument_count + environment_count + 32) * sizeof(char *);
    const Memory memory(size);
    if (!memory.good()) return -ENOMEM;
    char *words = memory.bytes();
    methods::Exec::Request request;
    request.flags = flags & AT_SYMLINK_NOFOLLOW;
    set_location(request, location);
    request.size = prefix_room;
    methods::Exec::Reply reply;
    const long error = ask<methods::Exec>(request, reply, {words, prefix_room});
    if (error != 0) return error;

    char *capabilities = words + prefix_room;
    char *name = capabilities + capabilities_room;
    // The vectors come first in what is left, aligned.
    auto **vectors = reinterpret_cast<char **>(
        (reinterpret_cast<unsigned long>(name + name_room + location.path.size + 1) + 7) & ~7ul);
    char **new_arguments = const_cast<char **>(arguments);
    if (reply.prefix_count != 0) {
      new_arguments = vectors;
      const char *word = reply.prefix.data;
      for (std::uint64_t i = 0; i < reply.prefix_count; ++i) {
        *vectors++ = const_cast<char *>(word);
        word += strlen(word) + 1;
      }
      *vectors++ = name_script(name, directory, location.path);
      for (std::uint64_t i = 1; i < argument_count; ++i) *vectors++ = arguments[i];
      *vectors++ = nullptr;
    }
    describe_capabilities(capabilities);
    char **new_environment = complete(environment, environment_count, capabilities, vectors);
    const long result =
        system_call(__NR_execveat, reply.file, as_argument(""), as_argument(new_arguments),
                    as_argument(new_environment), AT_EMPTY_PATH);
    system_call(__NR_close, reply.file);
    return result;
  }

 private:
  // The environment with the variables that keep the new image in the sandbox's way of working.
  static char **complete(char *const *environment, std::uint64_t count, char *capabilities,
                         char **room) noexcept {
    char **copy = room;
    for (std::uint64_t i = 0; i < count; ++i) {
      if (is_variable(environment[i], "PLASH_CAPS")) continue;
      *room++ = environment[i];
    }
    *room++ = capabilities;
    if (state.preload != nullptr && find_variable(environment, preload_name) == nullptr)
      *room++ = const_cast<char *>(state.preload);
    *room = nullptr;
    return copy;
  }
};

long execute_at(long directory, const char *path, char *const *arguments, char *const *environment,
                std::uint64_t flags) noexcept {
  if ((flags & ~std::uint64_t{AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW}) != 0) return -EINVAL;
  Location location;
  const Last last = (flags & AT_SYMLINK_NOFOLLOW) != 0 ? Last::keep : Last::follow;
  const long error = locate(directory, path, flags, last, location);
  if (error != 0) return error;
  const bool relative = location.path.size == 0 || location.path.data[0] != '/';
  const bool named = static_cast<int>(directory) == AT_FDCWD && location.flags == 0;
  return Image().execute(location, relative && !named ? location.base : -1, flags, arguments,
                         environment);
}

}  // namespace

long emulate_execve(const Arguments &arguments) noexcept {
  return execute_at(AT_FDCWD, arguments.pointer<const char>(0), arguments.pointer<char *>(1),
                    arguments.pointer<char *>(2), 0);
}

long emulate_execveat(const Arguments &arguments) noexcept {
  return execute_at(arguments[0], arguments.pointer<const char>(1), arguments.pointer<char *>(2),
                    arguments.pointer<char *>(3), arguments.bits(4));
}

}  // namespace plash::engine
