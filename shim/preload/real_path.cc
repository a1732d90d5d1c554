// SPDX-License-Identifier: LGPL-2.1-or-later
//
// realpath(3): symlinks followed one readlink(2) at a time, so that a name that fails can be told.
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/preload/wrap.h"

namespace plash::preload {
namespace {

constexpr int most_symlinks = 40;  // as the kernel

struct Resolution {
  char path[PATH_MAX];  // resolved so far; "" stands for the root
  size_t length = 0;
  char rest[PATH_MAX];  // still to be resolved
};

long append_component(Resolution &resolution, const char *name, size_t length) noexcept {
  if (resolution.length + 1 + length >= PATH_MAX) return -ENAMETOOLONG;
  resolution.path[resolution.length] = '/';
  memcpy(resolution.path + resolution.length + 1, name, length);
  resolution.length += 1 + length;
  resolution.path[resolution.length] = '\0';
  return 0;
}

void remove_component(Resolution &resolution) noexcept {
  while (resolution.length > 0 && resolution.path[--resolution.length] != '/') continue;
  resolution.path[resolution.length] = '\0';
}

// "/", "/." and the like behind a name say that it must be a directory, as do further names.
bool must_be_directory(const char *after) noexcept { return *after == '/'; }

bool is_directory(const Resolution &resolution, long &error) noexcept {
  struct stat status;
  error = call(SYS_stat, resolution.path, &status);
  if (error == 0 && !S_ISDIR(status.st_mode)) error = -ENOTDIR;
  return error == 0;
}

// Puts a symlink's target before the rest.
long splice(Resolution &resolution, const char *target, size_t length, const char *after) noexcept {
  const size_t after_length = strlen(after);
  if (length + after_length >= PATH_MAX) return -ENAMETOOLONG;
  memmove(resolution.rest + length, after, after_length + 1);
  memcpy(resolution.rest, target, length);
  if (target[0] == '/') {
    resolution.length = 0;
    resolution.path[0] = '\0';
  } else {
    remove_component(resolution);
  }
  return 0;
}

long resolve(Resolution &resolution) noexcept {
  int symlinks = 0;
  const char *next = resolution.rest;
  for (;;) {
    while (*next == '/') ++next;
    const char *end = strchrnul(next, '/');
    const auto length = static_cast<size_t>(end - next);
    if (length == 0) return 0;
    if (length == 1 && next[0] == '.') {
      next = end;
      continue;
    }
    if (length == 2 && next[0] == '.' && next[1] == '.') {
      remove_component(resolution);
      next = end;
      continue;
    }
    long result = append_component(resolution, next, length);
    if (result < 0) return result;
    char target[PATH_MAX];
    const long size = call(SYS_readlink, resolution.path, target, sizeof target);
    if (size >= 0) {
      if (++symlinks > most_symlinks) return -ELOOP;
      if (size == 0) return -ENOENT;
      if (size == sizeof target) return -ENAMETOOLONG;
      result = splice(resolution, target, static_cast<size_t>(size), end);
      if (result < 0) return result;
      next = resolution.rest;
      continue;
    }
    if (size != -EINVAL) return size;
    if (must_be_directory(end) && !is_directory(resolution, result)) return result;
    next = end;
  }
}

}  // namespace

// On failure a buffer of the caller's holds the name that failed, as in glibc.
PLASH_EXPORT(char *, realpath, const char *path, char *buffer) {
  if (path == nullptr) return fail_null<char>(EINVAL);
  if (path[0] == '\0') return fail_null<char>(ENOENT);
  const size_t length = strnlen(path, PATH_MAX);
  if (length == PATH_MAX) return fail_null<char>(ENAMETOOLONG);
  const int saved = errno;
  auto *resolution = static_cast<Resolution *>(malloc(sizeof(Resolution)));
  if (resolution == nullptr) return nullptr;
  resolution->length = 0;
  resolution->path[0] = '\0';
  memcpy(resolution->rest, path, length + 1);
  long result = 0;
  if (path[0] != '/') {
    result = call(SYS_getcwd, resolution->path, sizeof resolution->path);
    if (result > 0) {
      resolution->length = strlen(resolution->path);
      if (resolution->length == 1) remove_component(*resolution);
      result = 0;
    }
  }
  if (result == 0) result = resolve(*resolution);
  if (resolution->length == 0) strcpy(resolution->path, "/");
  char *resolved = nullptr;
  if (result == 0) {
    resolved = buffer != nullptr ? strcpy(buffer, resolution->path) : strdup(resolution->path);
    if (resolved == nullptr) result = -ENOMEM;
  } else if (buffer != nullptr) {
    strcpy(buffer, resolution->path);
  }
  free(resolution);
  errno = result == 0 ? saved : static_cast<int>(-result);
  return resolved;
}

PLASH_EXPORT(char *, __realpath_chk, const char *path, char *buffer, size_t buffer_size) {
  if (buffer_size < PATH_MAX) __chk_fail();
  return wrapped_realpath(path, buffer);
}

PLASH_EXPORT(char *, canonicalize_file_name, const char *path) {
  return wrapped_realpath(path, nullptr);
}

}  // namespace plash::preload
