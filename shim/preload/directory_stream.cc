// SPDX-License-Identifier: LGPL-2.1-or-later
//
// opendir(3), readdir(3) and relatives, over getdents64(2): libc's own streams would be opened by
// libc's own system call. All functions that take a DIR are here and in directory_scan.cc, so that
// the two kinds never meet.
#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/preload/wrap.h"

// On x86-64 the kernel's records are what both struct dirent and struct dirent64 describe.
struct __dirstream {
  int fd;
  pthread_mutex_t lock;
  size_t used;    // bytes read into the buffer
  size_t next;    // of the record to be given out next
  long position;  // of that record, for telldir(3)
  alignas(dirent) char buffer[32768];
};

namespace plash::preload {
namespace {

class Lock {
 public:
  explicit Lock(DIR *directory) : mutex_(&directory->lock) { pthread_mutex_lock(mutex_); }
  ~Lock() { pthread_mutex_unlock(mutex_); }
  Lock(const Lock &) = delete;
  Lock &operator=(const Lock &) = delete;

 private:
  pthread_mutex_t *mutex_;
};

DIR *new_stream(int fd) noexcept {
  DIR *directory = static_cast<DIR *>(malloc(sizeof(DIR)));
  if (directory == nullptr) return nullptr;
  directory->fd = fd;
  pthread_mutex_init(&directory->lock, nullptr);
  directory->used = directory->next = 0;
  directory->position = 0;
  return directory;
}

void seek(DIR *directory, long position) noexcept {
  call(SYS_lseek, directory->fd, position, SEEK_SET);
  directory->used = directory->next = 0;
  directory->position = position;
}

// The next record; null with error 0 at the end. The record stays valid until the buffer is filled
// anew. A directory that was removed meanwhile has no more records.
dirent *next_record(DIR *directory, int &error) noexcept {
  error = 0;
  if (directory->next >= directory->used) {
    const long size =
        call(SYS_getdents64, directory->fd, directory->buffer, sizeof directory->buffer);
    if (size <= 0) {
      if (size < 0 && size != -ENOENT) error = static_cast<int>(-size);
      return nullptr;
    }
    directory->used = static_cast<size_t>(size);
    directory->next = 0;
  }
  auto *record = reinterpret_cast<dirent *>(directory->buffer + directory->next);
  directory->next += record->d_reclen;
  directory->position = record->d_off;
  return record;
}

}  // namespace

PLASH_EXPORT(DIR *, opendir, const char *path) {
  if (path[0] == '\0') return fail_null<DIR>(ENOENT);
  const long fd =
      cancellable_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail_null<DIR>(static_cast<int>(-fd));
  DIR *directory = new_stream(static_cast<int>(fd));
  if (directory == nullptr) {
    call(SYS_close, fd);
    errno = ENOMEM;
  }
  return directory;
}

PLASH_EXPORT(DIR *, fdopendir, int fd) {
  struct stat status;
  long result = call(SYS_fstat, fd, &status);
  if (result < 0) return fail_null<DIR>(static_cast<int>(-result));
  if (!S_ISDIR(status.st_mode)) return fail_null<DIR>(ENOTDIR);
  result = call(SYS_fcntl, fd, F_GETFL);
  if (result < 0) return fail_null<DIR>(static_cast<int>(-result));
  if ((result & O_ACCMODE) == O_WRONLY) return fail_null<DIR>(EINVAL);
  return new_stream(fd);
}

PLASH_EXPORT(int, closedir, DIR *directory) {
  if (directory == nullptr) return fail(EINVAL);
  const int fd = directory->fd;
  pthread_mutex_destroy(&directory->lock);
  free(directory);
  return to_result(call(SYS_close, fd));
}

PLASH_EXPORT(struct dirent *, readdir, DIR *directory) {
  const Lock lock(directory);
  int error;
  dirent *record = next_record(directory, error);
  if (error != 0) errno = error;
  return record;
}
PLASH_ALIAS(readdir64, readdir);

// Deprecated: names longer than the caller's record are left out, and reported at the end.
PLASH_EXPORT(int, readdir_r, DIR *directory, struct dirent *entry, struct dirent **result) {
  const Lock lock(directory);
  int error;
  int omitted = 0;
  dirent *record;
  while ((record = next_record(directory, error)) != nullptr) {
    const size_t length = strlen(record->d_name);
    if (length < sizeof entry->d_name) {
      memcpy(entry, record, offsetof(dirent, d_name) + length + 1);
      if (entry->d_reclen > sizeof *entry) entry->d_reclen = sizeof *entry;
      break;
    }
    omitted = ENAMETOOLONG;
  }
  *result = record != nullptr ? entry : nullptr;
  if (record != nullptr) return 0;
  return error != 0 ? error : omitted;
}
PLASH_ALIAS(readdir64_r, readdir_r);

PLASH_EXPORT(void, rewinddir, DIR *directory) {
  const Lock lock(directory);
  seek(directory, 0);
}

PLASH_EXPORT(void, seekdir, DIR *directory, long position) {
  const Lock lock(directory);
  seek(directory, position);
}

PLASH_EXPORT(long, telldir, DIR *directory) {
  const Lock lock(directory);
  return directory->position;
}

PLASH_EXPORT(int, dirfd, DIR *directory) { return directory->fd; }

PLASH_EXPORT(ssize_t, getdents64, int fd, void *buffer, size_t size) {
  // The kernel takes an unsigned int.
  if (size > 0x7fffffff) size = 0x7fffffff;
  return to_result<ssize_t>(call(SYS_getdents64, fd, buffer, size));
}

PLASH_EXPORT(ssize_t, getdirentries, int fd, char *buffer, size_t size, off_t *base) {
  const long position = call(SYS_lseek, fd, 0, SEEK_CUR);
  const ssize_t result = wrapped_getdents64(fd, buffer, size);
  if (result != -1) *base = position;
  return result;
}
PLASH_ALIAS(getdirentries64, getdirentries);

}  // namespace plash::preload
