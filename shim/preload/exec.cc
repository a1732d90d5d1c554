// SPDX-License-Identifier: LGPL-2.1-or-later
//
// execve(2) and relatives. They may be called in vfork children and signal handlers: argument lists
// and names stand on the stack, nothing is allocated.
#include "shim/preload/exec.h"

#include <alloca.h>
#include <fcntl.h>
#include <limits.h>
#include <paths.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/preload/wrap.h"

namespace plash::preload {
namespace {

constexpr char default_path[] = "/bin:/usr/bin";  // confstr(_CS_PATH)

// The shell executes what the kernel could not: argv[0], the file, and the further arguments.
__attribute__((noinline)) long execute_with_shell(const char *file, char *const argv[],
                                                  char *const envp[]) noexcept {
  size_t count = 0;
  while (argv[count] != nullptr) ++count;
  if (count > INT_MAX - 2) return -E2BIG;
  auto **list = static_cast<char **>(alloca((count + 3) * sizeof(char *)));
  list[0] = const_cast<char *>(_PATH_BSHELL);
  list[1] = const_cast<char *>(file);
  list[2] = nullptr;
  for (size_t i = 1; i <= count; ++i) list[i + 1] = argv[i];
  return call(SYS_execve, _PATH_BSHELL, list, envp);
}

long execute(const char *file, char *const argv[], char *const envp[], bool with_shell) noexcept {
  const long result = call(SYS_execve, file, argv, envp);
  return result == -ENOEXEC && with_shell ? execute_with_shell(file, argv, envp) : result;
}

// What execvp(3) goes on from, to the next directory of the path: the file is not there, or not
// reachable.
bool is_not_found(long result) noexcept {
  switch (result) {
    case -ENOENT:
    case -ENOTDIR:
    case -ESTALE:
    case -ENODEV:
    case -ETIMEDOUT:
    case -EACCES:
      return true;
    default:
      return false;
  }
}

}  // namespace

__attribute__((noinline)) long search_and_execute(const char *file, char *const argv[],
                                                  char *const envp[], bool with_shell) noexcept {
  if (file[0] == '\0') return -ENOENT;
  if (strchr(file, '/') != nullptr) return execute(file, argv, envp, with_shell);
  const size_t length = strnlen(file, NAME_MAX + 1);
  if (length > NAME_MAX) return -ENAMETOOLONG;
  const char *path = getenv("PATH");
  if (path == nullptr) path = default_path;
  bool access_denied = false;
  long result = -ENOENT;
  for (;; ++path) {
    const char *end = strchrnul(path, ':');
    const auto directory_length = static_cast<size_t>(end - path);
    if (directory_length < PATH_MAX) {
      char name[PATH_MAX + NAME_MAX + 2];
      char *place = static_cast<char *>(mempcpy(name, path, directory_length));
      if (directory_length > 0) *place++ = '/';  // an empty entry is the working directory
      memcpy(place, file, length + 1);
      result = execute(name, argv, envp, with_shell);
      if (!is_not_found(result)) return result;
      // Another directory may hold one that may be executed: if none does, say why.
      if (result == -EACCES) access_denied = true;
    }
    path = end;
    if (*path == '\0') return access_denied ? -EACCES : result;
  }
}

PLASH_EXPORT(int, execve, const char *path, char *const argv[], char *const envp[]) {
  return to_result(call(SYS_execve, path, argv, envp));
}

PLASH_EXPORT(int, execv, const char *path, char *const argv[]) {
  return to_result(call(SYS_execve, path, argv, environ));
}

PLASH_EXPORT(int, execveat, int base, const char *path, char *const argv[], char *const envp[],
             int flags) {
  return to_result(call(SYS_execveat, base, path, argv, envp, flags));
}

PLASH_EXPORT(int, fexecve, int fd, char *const argv[], char *const envp[]) {
  if (fd < 0 || argv == nullptr || envp == nullptr) return fail(EINVAL);
  return to_result(call(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH));
}

PLASH_EXPORT(int, execvpe, const char *file, char *const argv[], char *const envp[]) {
  return to_result(search_and_execute(file, argv, envp, true));
}

PLASH_EXPORT(int, execvp, const char *file, char *const argv[]) {
  return to_result(search_and_execute(file, argv, environ, true));
}

// Makes argv, on the stack of the function that uses it, of a list of arguments that starts with
// first and ends with a null pointer, and leaves rest behind that.
#define PLASH_TAKE_ARGUMENTS(argv, rest, first)                                      \
  va_list rest;                                                                      \
  va_start(rest, first);                                                             \
  size_t argument_count = first != nullptr ? 1 : 0;                                  \
  if (first != nullptr) {                                                            \
    while (va_arg(rest, char *) != nullptr) ++argument_count;                        \
  }                                                                                  \
  va_end(rest);                                                                      \
  if (argument_count >= INT_MAX) return fail(E2BIG);                                 \
  auto **argv = static_cast<char **>(alloca((argument_count + 1) * sizeof(char *))); \
  va_start(rest, first);                                                             \
  argv[0] = const_cast<char *>(first);                                               \
  for (size_t i = 1; i <= argument_count; ++i) argv[i] = va_arg(rest, char *)

PLASH_EXPORT(int, execl, const char *path, const char *first, ...) {
  PLASH_TAKE_ARGUMENTS(argv, rest, first);
  va_end(rest);
  return to_result(call(SYS_execve, path, argv, environ));
}

PLASH_EXPORT(int, execlp, const char *file, const char *first, ...) {
  PLASH_TAKE_ARGUMENTS(argv, rest, first);
  va_end(rest);
  return to_result(search_and_execute(file, argv, environ, true));
}

PLASH_EXPORT(int, execle, const char *path, const char *first, ...) {
  PLASH_TAKE_ARGUMENTS(argv, rest, first);
  char *const *envp = va_arg(rest, char *const *);
  va_end(rest);
  return to_result(call(SYS_execve, path, argv, envp));
}

}  // namespace plash::preload
