// SPDX-License-Identifier: LGPL-2.1-or-later
//
// execve(2): the server finds the file and follows its #! lines, the kernel executes the descriptor
// that it answers with.
#include <asm/unistd_64.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>

#include "protocol/memory.h"
#include "protocol/system_call.h"
#include "shim/engine/handlers.h"

namespace plash::engine {
namespace {

constexpr std::uint64_t short_prefix_room = 192;  // for the words of most #! lines
constexpr std::uint64_t prefix_room = 8192;       // and of all, with the ELF interpreter's path
constexpr std::uint64_t name_room = 24;           // "/dev/fd/NUMBER/"
constexpr char preload_name[] = "LD_PRELOAD";

std::uint64_t count_strings(char *const *strings) noexcept {
  std::uint64_t count = 0;
  while (strings != nullptr && strings[count] != nullptr) ++count;
  return count;
}

// Whether a vector can be read as far as its end, looking once at each page; with texts, the first
// byte of each string as well.
bool is_vector_readable(char *const *strings, bool texts) noexcept {
  constexpr std::uint64_t page_mask = 4095;
  for (char *const *at = strings; at != nullptr; ++at) {
    if (at == strings || (reinterpret_cast<std::uint64_t>(at) & page_mask) < sizeof *at) {
      if (!may_read(at, sizeof *at)) return false;
    }
    if (*at == nullptr) break;
    if (texts && !may_read(*at, 1)) return false;
  }
  return true;
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

// What a new image needs besides the file: the server's answer, and vectors where the caller's own
// will not do.
struct Image {
  methods::Exec::Reply reply;
  char *const *arguments;
  char *const *environment;
};

long look_up(const Location &location, std::uint64_t flags, Buffer words, Image &image) noexcept {
  methods::Exec::Request request;
  request.flags = flags & AT_SYMLINK_NOFOLLOW;
  set_location(request, location);
  request.size = words.size;
  long error = ask<methods::Exec>(request, image.reply, words);
  if (error != 0 || state.hooks.check_program == nullptr) return error;
  error = state.hooks.check_program(image.reply.file, image.reply.interpreter, location.path);
  if (error != 0) system_call(__NR_close, image.reply.file);
  return error;
}

// A file that was written a moment ago may still be open in the server, which closes its copy right
// after the answer; the kernel does not execute what somebody can write to. Somebody who keeps it
// open is seen all the same, a little later.
long execute_file(const Image &image) noexcept {
  constexpr int attempts = 20;
  constexpr timespec pause{0, 500'000};
  long result = 0;
  for (int i = 0; i < attempts; ++i) {
    result =
        system_call(__NR_execveat, image.reply.file, as_argument(""), as_argument(image.arguments),
                    as_argument(image.environment), AT_EMPTY_PATH);
    if (result != -ETXTBSY) break;
    system_call(__NR_nanosleep, as_argument(&pause), 0);
  }
  system_call(__NR_close, image.reply.file);
  return result;
}

// The environment holds what keeps the new image in the sandbox's way of working.
bool is_complete(char *const *environment) noexcept {
  const char *value = find_variable(environment, "PLASH_CAPS");
  const char *wanted = state.capabilities + sizeof "PLASH_CAPS";
  if (value == nullptr || strlen(value) != strlen(wanted) ||
      memcmp(value, wanted, strlen(value)) != 0) {
    return false;
  }
  return state.preload == nullptr || find_variable(environment, preload_name) != nullptr;
}

char **append_words(char **to, const Image &image) noexcept {
  const char *word = image.reply.prefix.data;
  for (std::uint64_t i = 0; i < image.reply.prefix_count; ++i) {
    *to++ = const_cast<char *>(word);
    word += strlen(word) + 1;
  }
  return to;
}

char **append_environment(char **to, char *const *environment) noexcept {
  for (std::uint64_t i = 0; i < count_strings(environment); ++i) {
    if (!is_variable(environment[i], "PLASH_CAPS")) *to++ = environment[i];
  }
  *to++ = state.capabilities;
  if (state.preload != nullptr && find_variable(environment, preload_name) == nullptr) {
    *to++ = const_cast<char *>(state.preload);
  }
  return to;
}

// Executes with vectors of its own: a script, or an environment that lacks something.
__attribute__((noinline)) long execute_with_vectors(const Location &location, int directory,
                                                    Image &image) noexcept {
  const std::uint64_t count = count_strings(image.arguments);
  const std::uint64_t text = name_room + location.path.size + 1;
  const std::uint64_t entries =
      count + count_strings(image.environment) + image.reply.prefix_count + 8;
  const Memory memory(text + entries * sizeof(char *));
  if (!memory.good()) {
    system_call(__NR_close, image.reply.file);
    return -ENOMEM;
  }
  auto **vector = reinterpret_cast<char **>(memory.bytes());
  char *name = memory.bytes() + entries * sizeof(char *);
  if (image.reply.prefix_count != 0) {
    if (directory >= 0 && (system_call(__NR_fcntl, directory, F_GETFD) & FD_CLOEXEC) != 0) {
      // The interpreter could not open the script.
      system_call(__NR_close, image.reply.file);
      return -ENOENT;
    }
    char **arguments = vector;
    vector = append_words(vector, image);
    *vector++ = name_script(name, directory, location.path);
    for (std::uint64_t i = 1; i < count; ++i) *vector++ = image.arguments[i];
    *vector++ = nullptr;
    image.arguments = arguments;
  }
  if (!is_complete(image.environment)) {
    char **environment = vector;
    vector = append_environment(vector, image.environment);
    *vector = nullptr;
    image.environment = environment;
  }
  return execute_file(image);
}

long execute_image(const Location &location, int directory, Image &image) noexcept {
  // The common case takes no memory: nothing is left behind in the parent of a vfork(2) child.
  if (image.reply.prefix_count == 0 && is_complete(image.environment)) return execute_file(image);
  return execute_with_vectors(location, directory, image);
}

__attribute__((noinline)) long execute_with_long_words(const Location &location, int directory,
                                                       std::uint64_t flags, Image &image) noexcept {
  const Memory memory(prefix_room);
  if (!memory.good()) return -ENOMEM;
  const long error = look_up(location, flags, {memory.bytes(), prefix_room}, image);
  return error != 0 ? error : execute_image(location, directory, image);
}

__attribute__((noinline)) long execute_location(const Location &location, int directory,
                                                std::uint64_t flags, Image &image) noexcept {
  char words[short_prefix_room];
  const long error = look_up(location, flags, {words, sizeof words}, image);
  if (error == -E2BIG) return execute_with_long_words(location, directory, flags, image);
  return error != 0 ? error : execute_image(location, directory, image);
}

long execute_at(long directory, const char *path, char *const *arguments, char *const *environment,
                std::uint64_t flags) noexcept {
  if ((flags & ~std::uint64_t{AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW}) != 0) return -EINVAL;
  Location location;
  const Last last = (flags & AT_SYMLINK_NOFOLLOW) != 0 ? Last::keep : Last::follow;
  const long error = locate(directory, path, flags, last, location);
  if (error != 0) return error;
  if (!is_vector_readable(arguments, false) || !is_vector_readable(environment, true))
    return -EFAULT;
  // What goes by a descriptor's name, /dev/fd/N, is given by a descriptor too.
  const bool by_descriptor = location.base >= 0 && location.base != state.cwd;
  Image image{{}, arguments, environment};
  return execute_location(location, by_descriptor ? location.base : -1, flags, image);
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
