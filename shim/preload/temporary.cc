// SPDX-License-Identifier: LGPL-2.1-or-later
//
// mkstemp(3), mkdtemp(3), tmpfile(3), tmpnam(3) and relatives.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/preload/wrap.h"

namespace plash::preload {
namespace {

constexpr size_t random_length = 6;
constexpr unsigned most_attempts = 62 * 62 * 62;

void fill_in(char *place) noexcept {
  constexpr char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  uint64_t value = 0;
  // Never short nor interrupted for so few bytes. Where it fails (before the random generator is
  // seeded), the names are merely easier to guess: O_EXCL keeps the files apart.
  if (getrandom(&value, sizeof value, GRND_NONBLOCK) != sizeof value) {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    value = static_cast<uint64_t>(now.tv_nsec) * 0x9e3779b97f4a7c15u ^
            reinterpret_cast<uintptr_t>(place);
  }
  for (size_t i = 0; i < random_length; ++i, value /= 62) place[i] = letters[value % 62];
}

// Tries names until attempt(), which gives the kernel's answer, says anything but -EEXIST.
template <class Attempt>
long try_names(char *name, int suffix_length, Attempt attempt) {
  const size_t length = strlen(name);
  if (suffix_length < 0 || length < random_length + static_cast<size_t>(suffix_length)) {
    return -EINVAL;
  }
  char *place = name + length - static_cast<size_t>(suffix_length) - random_length;
  if (memcmp(place, "XXXXXX", random_length) != 0) return -EINVAL;
  for (unsigned i = 0; i < most_attempts; ++i) {
    fill_in(place);
    const long result = attempt(name);
    if (result != -EEXIST) return result;
  }
  return -EEXIST;
}

int make_file(char *name, int suffix_length, int flags) {
  const int saved = errno;
  const int open_flags = (flags & ~O_ACCMODE) | O_RDWR | O_CREAT | O_EXCL;
  const long fd = try_names(name, suffix_length, [&](const char *path) {
    return cancellable_call(SYS_openat, AT_FDCWD, path, open_flags, S_IRUSR | S_IWUSR);
  });
  if (fd >= 0) errno = saved;
  return to_result(fd);
}

// A name that no file has, as far as can be seen now.
long find_free_name(char *name) {
  return try_names(name, 0, [](const char *path) {
    struct stat status;
    const long result = call(SYS_lstat, path, &status);
    return result == 0 ? -EEXIST : result == -ENOENT ? 0 : result;
  });
}

bool is_directory(const char *path) noexcept {
  struct stat status;
  return call(SYS_stat, path, &status) == 0 && S_ISDIR(status.st_mode);
}

}  // namespace

PLASH_EXPORT(int, mkostemps, char *name, int suffix_length, int flags) {
  return make_file(name, suffix_length, flags);
}
PLASH_ALIAS(mkostemps64, mkostemps);

PLASH_EXPORT(int, mkstemps, char *name, int suffix_length) {
  return make_file(name, suffix_length, 0);
}
PLASH_ALIAS(mkstemps64, mkstemps);

PLASH_EXPORT(int, mkostemp, char *name, int flags) { return make_file(name, 0, flags); }
PLASH_ALIAS(mkostemp64, mkostemp);

PLASH_EXPORT(int, mkstemp, char *name) { return make_file(name, 0, 0); }
PLASH_ALIAS(mkstemp64, mkstemp);

PLASH_EXPORT(char *, mkdtemp, char *name) {
  const int saved = errno;
  const long result = try_names(
      name, 0, [](const char *path) { return call(SYS_mkdirat, AT_FDCWD, path, S_IRWXU); });
  if (result < 0) return fail_null<char>(static_cast<int>(-result));
  errno = saved;
  return name;
}

PLASH_EXPORT(char *, mktemp, char *name) {
  const int saved = errno;
  const long result = find_free_name(name);
  if (result < 0) {
    name[0] = '\0';
    errno = static_cast<int>(-result);
  } else {
    errno = saved;
  }
  return name;
}

PLASH_EXPORT(char *, tmpnam_r, char *buffer) {
  if (buffer == nullptr) return nullptr;
  strcpy(buffer, P_tmpdir "/fileXXXXXX");
  return find_free_name(buffer) < 0 ? nullptr : buffer;
}

PLASH_EXPORT(char *, tmpnam, char *buffer) {
  static char own_buffer[L_tmpnam];
  char name[L_tmpnam];
  if (wrapped_tmpnam_r(name) == nullptr) return nullptr;
  return strcpy(buffer != nullptr ? buffer : own_buffer, name);
}

// In $TMPDIR, else in the given directory, else in /tmp.
PLASH_EXPORT(char *, tempnam, const char *directory, const char *prefix) {
  const char *variable = secure_getenv("TMPDIR");
  if (variable != nullptr && is_directory(variable)) {
    directory = variable;
  } else if (directory == nullptr || !is_directory(directory)) {
    directory = P_tmpdir;
    if (!is_directory(directory)) return fail_null<char>(ENOENT);
  }
  if (prefix == nullptr || prefix[0] == '\0') prefix = "file";
  size_t length = strlen(directory);
  while (length > 1 && directory[length - 1] == '/') --length;
  char *name;
  if (asprintf(&name, "%.*s/%.5sXXXXXX", static_cast<int>(length), directory, prefix) < 0) {
    return nullptr;
  }
  const long result = find_free_name(name);
  if (result == 0) return name;
  free(name);
  return fail_null<char>(static_cast<int>(-result));
}

PLASH_EXPORT(FILE *, tmpfile, void) {
  long fd = cancellable_call(SYS_openat, AT_FDCWD, P_tmpdir, O_RDWR | O_TMPFILE | O_EXCL,
                             S_IRUSR | S_IWUSR);
  if (fd < 0) {
    // A file system, or a server, without nameless files.
    char name[] = P_tmpdir "/tmpfXXXXXX";
    fd = make_file(name, 0, 0);
    if (fd < 0) return nullptr;
    call(SYS_unlinkat, AT_FDCWD, name, 0);
  }
  FILE *stream = fdopen(static_cast<int>(fd), "w+");
  if (stream == nullptr) call(SYS_close, fd);
  return stream;
}
PLASH_ALIAS(tmpfile64, tmpfile);

}  // namespace plash::preload
