// SPDX-License-Identifier: LGPL-2.1-or-later
//
// sem_open(3), sem_close(3) and sem_unlink(3): semaphores mapped from files in /dev/shm.
#include <fcntl.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/preload/shared_memory.h"
#include "shim/preload/wrap.h"

namespace plash::preload {
namespace {

// Opening a semaphore once more gives the same address, so the mappings are counted.
struct Mapping {
  dev_t device;
  ino_t inode;
  sem_t *semaphore;
  unsigned count;
  Mapping *next;
};
pthread_mutex_t mappings_lock = PTHREAD_MUTEX_INITIALIZER;
Mapping *mappings = nullptr;

sem_t *add_mapping(int fd, const struct stat &status) noexcept {
  for (Mapping *mapping = mappings; mapping != nullptr; mapping = mapping->next) {
    if (mapping->inode == status.st_ino && mapping->device == status.st_dev) {
      ++mapping->count;
      return mapping->semaphore;
    }
  }
  auto *mapping = static_cast<Mapping *>(malloc(sizeof(Mapping)));
  if (mapping == nullptr) return SEM_FAILED;
  void *memory = mmap(nullptr, sizeof(sem_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) {
    free(mapping);
    return SEM_FAILED;
  }
  *mapping = {status.st_dev, status.st_ino, static_cast<sem_t *>(memory), 1, mappings};
  mappings = mapping;
  return mapping->semaphore;
}

sem_t *map(long fd) noexcept {
  if (fd < 0) {
    errno = static_cast<int>(-fd);
    return SEM_FAILED;
  }
  struct stat status;
  sem_t *semaphore = SEM_FAILED;
  const long result = call(SYS_fstat, fd, &status);
  if (result < 0) {
    errno = static_cast<int>(-result);
  } else if (static_cast<size_t>(status.st_size) < sizeof(sem_t)) {
    errno = EINVAL;
  } else {
    pthread_mutex_lock(&mappings_lock);
    semaphore = add_mapping(static_cast<int>(fd), status);
    pthread_mutex_unlock(&mappings_lock);
  }
  call(SYS_close, fd);
  return semaphore;
}

// Makes the file under another name and links it, so that nobody sees a semaphore without a value.
// Returns a descriptor or -errno.
long create(const char *path, mode_t mode, unsigned value) noexcept {
  sem_t initial;
  memset(&initial, 0, sizeof initial);
  if (sem_init(&initial, 1, value) != 0) return -errno;
  char temporary[] = "/dev/shm/sem.XXXXXX";
  if (*mktemp(temporary) == '\0') return -errno;
  const long fd =
      call(SYS_openat, AT_FDCWD, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return fd == -EEXIST ? -EAGAIN : fd;
  long result = system_call(SYS_write, fd, as_argument(&initial), sizeof initial);
  if (result >= 0) result = result == sizeof initial ? 0 : -ENOSPC;
  if (result == 0) result = call(SYS_linkat, AT_FDCWD, temporary, AT_FDCWD, path, 0);
  call(SYS_unlinkat, AT_FDCWD, temporary, 0);
  if (result == 0) return fd;
  call(SYS_close, fd);
  return result;
}

}  // namespace

PLASH_EXPORT(sem_t *, sem_open, const char *name, int flags, ...) {
  SharedMemoryPath path;
  if (!make_shared_memory_path(path, "sem.", name)) {
    errno = EINVAL;
    return SEM_FAILED;
  }
  mode_t mode = 0;
  unsigned value = 0;
  if ((flags & O_CREAT) != 0) {
    va_list arguments;
    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    value = va_arg(arguments, unsigned);
    va_end(arguments);
    if (value > SEM_VALUE_MAX) {
      errno = EINVAL;
      return SEM_FAILED;
    }
  }
  const bool exclusive = (flags & O_CREAT) != 0 && (flags & O_EXCL) != 0;
  for (;;) {
    if (!exclusive) {
      const long fd = call(SYS_openat, AT_FDCWD, path.text, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
      if (fd != -ENOENT || (flags & O_CREAT) == 0) return map(fd);
    }
    const long fd = create(path.text, mode, value);
    if (fd != -EEXIST || exclusive) return map(fd);
  }
}

PLASH_EXPORT(int, sem_close, sem_t *semaphore) {
  pthread_mutex_lock(&mappings_lock);
  Mapping **place = &mappings;
  while (*place != nullptr && (*place)->semaphore != semaphore) place = &(*place)->next;
  Mapping *mapping = *place;
  if (mapping != nullptr && --mapping->count == 0) {
    *place = mapping->next;
    munmap(semaphore, sizeof(sem_t));
    free(mapping);
  }
  pthread_mutex_unlock(&mappings_lock);
  return mapping != nullptr ? 0 : fail(EINVAL);
}

PLASH_EXPORT(int, sem_unlink, const char *name) {
  SharedMemoryPath path;
  if (!make_shared_memory_path(path, "sem.", name)) return fail(ENOENT);
  const long result = call(SYS_unlinkat, AT_FDCWD, path.text, 0);
  return to_result(result == -EPERM ? -EACCES : result);
}

}  // namespace plash::preload
