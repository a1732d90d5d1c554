// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The functions that programs compiled with _FORTIFY_SOURCE call: as the plain ones, and the
// program is ended where a buffer is too small or a mode is missing.
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <functional>

#include "tests/shim/preload/libc.h"
#include "tests/support/catch.h"

using plash::test::Directory;
using plash::test::outcome;
using plash::test::Outcome;

extern "C" {
int __open_2(const char *, int);
int __open64_2(const char *, int);
int __openat_2(int, const char *, int);
int __openat64_2(int, const char *, int);
ssize_t __readlink_chk(const char *, char *, size_t, size_t);
ssize_t __readlinkat_chk(int, const char *, char *, size_t, size_t);
char *__realpath_chk(const char *, char *, size_t);
char *__getcwd_chk(char *, size_t, size_t);
ssize_t __read_chk(int, void *, size_t, size_t);
ssize_t __pread64_chk(int, void *, size_t, off_t, size_t);
ssize_t __recvfrom_chk(int, void *, size_t, size_t, int, sockaddr *, socklen_t *);
int __ttyname_r_chk(int, char *, size_t, size_t);
}

namespace {

bool is_aborted(const std::function<void()> &call) {
  const pid_t child = fork();
  if (child == 0) {
    const int null = open("/dev/null", O_WRONLY);
    dup2(null, 2);
    signal(SIGABRT, SIG_DFL);
    call();
    _exit(0);
  }
  int status;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

}  // namespace

TEST_CASE("fortified functions do what the plain ones do") {
  int fd = __open_2("/etc/passwd", O_RDONLY);
  CHECK(fd >= 0);
  char buffer[PATH_MAX];
  CHECK(__read_chk(fd, buffer, 4, sizeof buffer) == 4);
  CHECK(__pread64_chk(fd, buffer, 4, 0, sizeof buffer) == 4);
  close(fd);
  fd = __openat64_2(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY);
  CHECK(fd >= 0);
  close(fd);
  CHECK(outcome([] { return __open64_2("/nowhere", O_RDONLY); }) == Outcome{-1, ENOENT});
  CHECK(outcome([] { return __openat_2(AT_FDCWD, "/nowhere", O_RDONLY); }) == Outcome{-1, ENOENT});
  const Directory root;
  REQUIRE(symlink("target", (root / "link").c_str()) == 0);
  CHECK(__readlink_chk((root / "link").c_str(), buffer, 100, sizeof buffer) == 6);
  CHECK(__readlinkat_chk(AT_FDCWD, (root / "link").c_str(), buffer, 100, sizeof buffer) == 6);
  CHECK(__realpath_chk("/etc/../etc", buffer, sizeof buffer) == std::string("/etc"));
  CHECK(__getcwd_chk(buffer, sizeof buffer, sizeof buffer) == buffer);
  CHECK(outcome([&] { return __recvfrom_chk(-1, buffer, 1, 10, 0, nullptr, nullptr); }) ==
        Outcome{-1, EBADF});
}

TEST_CASE("fortified functions end the program where it is wrong") {
  char buffer[PATH_MAX];
  CHECK(is_aborted([] { __open_2("/tmp/x", O_CREAT | O_WRONLY); }));
  CHECK(is_aborted([] { __openat_2(AT_FDCWD, "/tmp", O_TMPFILE | O_WRONLY); }));
  CHECK(is_aborted([&] { __readlink_chk("/link", buffer, 100, 10); }));
  CHECK(is_aborted([&] { __readlinkat_chk(AT_FDCWD, "/link", buffer, 100, 10); }));
  CHECK(is_aborted([&] { __realpath_chk("/", buffer, 10); }));
  CHECK(is_aborted([&] { __getcwd_chk(buffer, 100, 10); }));
  CHECK(is_aborted([&] { __read_chk(0, buffer, 100, 10); }));
  CHECK(is_aborted([&] { __pread64_chk(0, buffer, 100, 0, 10); }));
  CHECK(is_aborted([&] { __recvfrom_chk(0, buffer, 100, 10, 0, nullptr, nullptr); }));
  CHECK(is_aborted([&] { __ttyname_r_chk(0, buffer, 100, 10); }));
}
