// SPDX-License-Identifier: LGPL-2.1-or-later
//
// scandir(3) and scandirat(3).
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "shim/preload/wrap.h"

namespace plash::preload {
namespace {

using Selector = int(const dirent *);
using Comparison = int(const dirent **, const dirent **);

struct Entries {
  dirent **list = nullptr;
  size_t count = 0;
  size_t room = 0;
};

bool append(Entries &entries, const dirent *record) noexcept {
  if (entries.count == entries.room) {
    const size_t room = entries.room == 0 ? 32 : entries.room * 2;
    auto *list = static_cast<dirent **>(reallocarray(entries.list, room, sizeof(dirent *)));
    if (list == nullptr) return false;
    entries.list = list;
    entries.room = room;
  }
  auto *copy = static_cast<dirent *>(malloc(record->d_reclen));
  if (copy == nullptr) return false;
  memcpy(copy, record, record->d_reclen);
  entries.list[entries.count++] = copy;
  return true;
}

void release(Entries &entries) noexcept {
  for (size_t i = 0; i < entries.count; ++i) free(entries.list[i]);
  free(entries.list);
}

}  // namespace

PLASH_EXPORT(int, scandirat, int base, const char *path, struct dirent ***result, Selector *select,
             Comparison *compare) {
  const long fd =
      cancellable_call(SYS_openat, base, path, O_RDONLY | O_NONBLOCK | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return to_result(fd);
  DIR *directory = fdopendir(static_cast<int>(fd));
  if (directory == nullptr) {
    const int error = errno;
    call(SYS_close, fd);
    return fail(error);
  }
  const int saved = errno;
  Entries entries;
  int error = 0;
  for (;;) {
    errno = 0;
    const dirent *record = readdir(directory);
    if (record == nullptr) {
      error = errno;
      break;
    }
    // Whatever the selector does to errno is no error.
    errno = saved;
    if (select != nullptr && select(record) == 0) continue;
    if (!append(entries, record)) {
      error = ENOMEM;
      break;
    }
  }
  closedir(directory);
  if (error != 0) {
    release(entries);
    return fail(error);
  }
  // An empty list is memory that can be freed, too.
  if (entries.list == nullptr) {
    entries.list = static_cast<dirent **>(malloc(sizeof(dirent *)));
    if (entries.list == nullptr) return fail(ENOMEM);
  }
  if (compare != nullptr) {
    qsort(entries.list, entries.count, sizeof(dirent *),
          reinterpret_cast<int (*)(const void *, const void *)>(compare));
  }
  *result = entries.list;
  errno = saved;
  return static_cast<int>(entries.count);
}
PLASH_ALIAS(scandirat64, scandirat);

PLASH_EXPORT(int, scandir, const char *path, struct dirent ***result, Selector *select,
             Comparison *compare) {
  return wrapped_scandirat(AT_FDCWD, path, result, select, compare);
}
PLASH_ALIAS(scandir64, scandir);

}  // namespace plash::preload
