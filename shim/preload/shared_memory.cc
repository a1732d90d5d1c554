// SPDX-License-Identifier: LGPL-2.1-or-later
//
// shm_open(3) and shm_unlink(3): files in /dev/shm.
#include "shim/preload/shared_memory.h"

#include <fcntl.h>
#include <string.h>
#include <sys/types.h>

#include "shim/preload/wrap.h"

namespace plash::preload {

bool make_shared_memory_path(SharedMemoryPath &path, const char *prefix,
                             const char *name) noexcept {
  while (*name == '/') ++name;
  const size_t length = strnlen(name, NAME_MAX + 1);
  const size_t prefix_length = strlen(prefix);
  if (length == 0 || prefix_length + length > NAME_MAX || memchr(name, '/', length) != nullptr) {
    return false;
  }
  if (prefix_length == 0 && (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)) return false;
  char *place = stpcpy(path.text, shared_memory_directory);
  place = stpcpy(place, prefix);
  strcpy(place, name);
  return true;
}

PLASH_EXPORT(int, shm_open, const char *name, int flags, mode_t mode) {
  SharedMemoryPath path;
  if (!make_shared_memory_path(path, "", name)) return fail(EINVAL);
  const long fd =
      call(SYS_openat, AT_FDCWD, path.text, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, mode);
  // A directory is no shared memory object.
  return to_result(fd == -EISDIR ? -EINVAL : fd);
}

PLASH_EXPORT(int, shm_unlink, const char *name) {
  SharedMemoryPath path;
  if (!make_shared_memory_path(path, "", name)) return fail(ENOENT);
  const long result = call(SYS_unlinkat, AT_FDCWD, path.text, 0);
  // Not the caller's: POSIX has another name for it.
  return to_result(result == -EPERM ? -EACCES : result);
}

}  // namespace plash::preload
