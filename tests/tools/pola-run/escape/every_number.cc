// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Every system call number, with arguments that would do most harm; afterwards it is looked whether
// a descriptor has come from it that reaches out.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "tests/tools/pola-run/escape/attempt.h"

namespace plash::escape {
namespace {

// What would end the attempt or leave processes behind, and a file that nobody else can have.
bool is_left_out(long number) {
  switch (number) {
    case SYS_rt_sigreturn:
    case SYS_clone:
    case SYS_fork:
    case SYS_vfork:
    case SYS_exit:
    case SYS_exit_group:
    case 447:  // memfd_secret
      return true;
    default:
      return false;
  }
}

constexpr int looked_at = 64;

struct Before {
  bool is_open[looked_at];
  ino_t granted;
};

// What is so before each attempt, which a child makes.
Before look() {
  Before before = {};
  for (int descriptor = 0; descriptor < looked_at; ++descriptor) {
    before.is_open[descriptor] = call(SYS_fcntl, descriptor, F_GETFD) >= 0;
  }
  struct stat granted = {};
  const int file = open_granted();
  call(SYS_fstat, file, to_argument(&granted));
  call(SYS_close, file);
  before.granted = granted.st_ino;
  return before;
}

// Whether a descriptor is open that was not, and is a directory of the kernel's, or a file that was
// not granted.
long find_gain(const Before &before) {
  for (int descriptor = 3; descriptor < looked_at; ++descriptor) {
    struct stat status;
    if (before.is_open[descriptor] || call(SYS_fstat, descriptor, to_argument(&status)) != 0)
      continue;
    if (S_ISDIR(status.st_mode)) return descriptor;
    // What has no name anywhere, as memfd_create(2) makes it, was not there to be reached.
    if (S_ISREG(status.st_mode) && status.st_ino != before.granted && status.st_nlink != 0) {
      return descriptor;
    }
  }
  return -EPERM;
}

long try_number(long number, const long (&arguments)[6], const Before &before) {
  call(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
  return find_gain(before);
}

}  // namespace

void try_every_number() {
  const long path = to_argument(outside.secret);
  const long directory = to_argument(outside.directory);
  const long sets[][6] = {
      {0, 0, 0, 0, 0, 0},
      {-1, -1, -1, -1, -1, -1},
      {path, O_RDWR, 0, 0, 0, 0},
      {directory, O_DIRECTORY, 0, 0, 0, 0},
      {AT_FDCWD, path, O_RDONLY, 0, 0, 0},
      {AT_FDCWD, directory, O_PATH, 0, 0, 0},
      {path, path, path, path, path, path},
      {AT_FDCWD, path, AT_FDCWD, path, 0, 0},
      {0, path, 4096, path, 4096, path},
      {1l << 62, 1l << 62, 1l << 62, 1l << 62, 1l << 62, 1l << 62},
  };
  const Before before = look();
  constexpr long count = 520;
  long made = 0;
  for (long number = 0; number < count; ++number) {
    if (is_left_out(number)) continue;
    int waiting = 0;
    for (const auto &arguments : sets) {
      // It waits whatever it is given.
      if (waiting == 2) break;
      ++made;
      const long result = run_apart([&] { return try_number(number, arguments, before); }, 20);
      if (result == -ETIME) ++waiting;
      if (result >= 0) {
        note("number", "system call " + std::to_string(number),
             "GAINED descriptor " + std::to_string(result), true);
      }
    }
  }
  note("number", "every number to " + std::to_string(count - 1) + " with hostile arguments",
       std::to_string(made) + " calls", false);
}

}  // namespace plash::escape
