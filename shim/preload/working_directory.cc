// SPDX-License-Identifier: LGPL-2.1-or-later
//
// getcwd(3), chdir(2) and relatives.
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/preload/wrap.h"

namespace plash::preload {

PLASH_EXPORT(int, chdir, const char *path) { return to_result(call(SYS_chdir, path)); }

PLASH_EXPORT(int, fchdir, int fd) { return to_result(call(SYS_fchdir, fd)); }

namespace {

// The kernel has no longer paths than PATH_MAX; glibc then finds its own way, for which there is
// not enough room in such a buffer.
long call_getcwd(char *buffer, size_t size) noexcept {
  const long result = call(SYS_getcwd, buffer, size);
  return result == -ENAMETOOLONG && size <= PATH_MAX ? -ERANGE : result;
}

}  // namespace

// As in glibc a null buffer asks for memory: of the given size, or of the size that is needed.
PLASH_EXPORT(char *, getcwd, char *buffer, size_t size) {
  if (buffer != nullptr) {
    if (size == 0) return fail_null<char>(EINVAL);
    const long result = call_getcwd(buffer, size);
    if (result < 0) return fail_null<char>(static_cast<int>(-result));
    // A directory outside the process's root has no path.
    return buffer[0] == '/' ? buffer : fail_null<char>(ENOENT);
  }
  const size_t allocated = size == 0 ? PATH_MAX : size;
  char *path = static_cast<char *>(malloc(allocated));
  if (path == nullptr) return nullptr;
  long result = size == 0 ? call(SYS_getcwd, path, allocated) : call_getcwd(path, size);
  if (result >= 0 && path[0] != '/') result = -ENOENT;
  if (result < 0) {
    free(path);
    return fail_null<char>(static_cast<int>(-result));
  }
  if (size != 0) return path;
  char *shrunk = static_cast<char *>(realloc(path, static_cast<size_t>(result)));
  return shrunk != nullptr ? shrunk : path;
}

PLASH_EXPORT(char *, __getcwd_chk, char *buffer, size_t size, size_t buffer_size) {
  if (size > buffer_size) __chk_fail();
  return wrapped_getcwd(buffer, size);
}

PLASH_EXPORT(char *, getwd, char *buffer) {
  if (buffer == nullptr) return fail_null<char>(EINVAL);
  char path[PATH_MAX];
  const long result = call(SYS_getcwd, path, sizeof path);
  if (result < 0) {
    // The buffer holds a message then.
    strncpy(buffer, strerror(static_cast<int>(-result)), PATH_MAX);
    return fail_null<char>(static_cast<int>(-result));
  }
  return strcpy(buffer, path);
}

PLASH_EXPORT(char *, __getwd_chk, char *buffer, size_t buffer_size) {
  char *path = wrapped_getwd(buffer);
  if (path != nullptr && strlen(path) >= buffer_size) __chk_fail();
  return path;
}

// $PWD, where it is a name of the working directory, since it shows the symlinks that the user went
// through.
PLASH_EXPORT(char *, get_current_dir_name, void) {
  const char *pwd = getenv("PWD");
  struct stat named;
  struct stat working;
  if (pwd != nullptr && call(SYS_stat, ".", &working) == 0 && call(SYS_stat, pwd, &named) == 0 &&
      named.st_dev == working.st_dev && named.st_ino == working.st_ino) {
    return strdup(pwd);
  }
  return wrapped_getcwd(nullptr, 0);
}

}  // namespace plash::preload
