// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Functions of libc that open a terminal or /dev/null by name: posix_openpt(3), openpty(3),
// forkpty(3) and daemon(3); and ttyname(3).
#include <fcntl.h>
#include <limits.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include "shim/preload/wrap.h"

namespace plash::preload {

PLASH_EXPORT(int, posix_openpt, int flags) {
  return to_result(call(SYS_openat, AT_FDCWD, "/dev/ptmx", flags));
}

PLASH_EXPORT(int, getpt, void) { return wrapped_posix_openpt(O_RDWR); }

PLASH_EXPORT(int, openpty, int *master, int *slave, char *name, const struct termios *settings,
             const struct winsize *size) {
  const int master_fd = wrapped_posix_openpt(O_RDWR | O_NOCTTY);
  if (master_fd < 0) return -1;
  int slave_fd = -1;
  int number = 0;
  if (grantpt(master_fd) != 0 || unlockpt(master_fd) != 0 ||
      ioctl(master_fd, TIOCGPTN, &number) != 0 ||
      (slave_fd = ioctl(master_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY)) < 0) {
    const int error = errno;
    call(SYS_close, master_fd);
    return fail(error);
  }
  if (settings != nullptr) tcsetattr(slave_fd, TCSAFLUSH, settings);
  if (size != nullptr) ioctl(slave_fd, TIOCSWINSZ, size);
  if (name != nullptr) ptsname_r(master_fd, name, 32);
  *master = master_fd;
  *slave = slave_fd;
  return 0;
}

namespace {

bool is_named(const char *name, dev_t device) noexcept {
  struct stat status;
  return call(SYS_stat, name, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == device;
}

// The name of a terminal, which the kernel's numbers tell (Documentation/admin-guide/devices.txt),
// or where they do not its link in /proc; empty where it has no name in the namespace.
void find_name(int fd, dev_t device, char (&name)[PATH_MAX]) noexcept {
  const unsigned number = minor(device);
  name[0] = '\0';
  if (major(device) >= 136 && major(device) <= 143) {
    snprintf(name, sizeof name, "/dev/pts/%u", (major(device) - 136) * 256 + number);
  } else if (major(device) == 4) {
    snprintf(name, sizeof name, number < 64 ? "/dev/tty%u" : "/dev/ttyS%u",
             number < 64 ? number : number - 64);
  }
  if (name[0] != '\0' && is_named(name, device)) return;
  char link[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const long length = call(SYS_readlink, link, name, sizeof name - 1);
  name[length > 0 ? length : 0] = '\0';
  if (!is_named(name, device)) name[0] = '\0';
}

}  // namespace

PLASH_EXPORT(int, ttyname_r, int fd, char *buffer, size_t size) {
  const auto fail_with = [](int error) { return errno = error; };
  if (buffer == nullptr) return fail_with(EINVAL);
  struct termios settings;
  if (ioctl(fd, TCGETS, &settings) != 0) return errno;
  struct stat status;
  const long result = call(SYS_fstat, fd, &status);
  if (result < 0) return fail_with(static_cast<int>(-result));
  char name[PATH_MAX];
  find_name(fd, status.st_rdev, name);
  if (name[0] == '\0') return fail_with(ENODEV);
  if (strlen(name) >= size) return fail_with(ERANGE);
  strcpy(buffer, name);
  return 0;
}

PLASH_EXPORT(int, __ttyname_r_chk, int fd, char *buffer, size_t size, size_t buffer_size) {
  if (size > buffer_size) __chk_fail();
  return wrapped_ttyname_r(fd, buffer, size);
}

PLASH_EXPORT(char *, ttyname, int fd) {
  static char name[PATH_MAX];
  return wrapped_ttyname_r(fd, name, sizeof name) == 0 ? name : nullptr;
}

PLASH_EXPORT(int, login_tty, int fd) {
  setsid();
  if (ioctl(fd, TIOCSCTTY, nullptr) != 0) return -1;
  for (int number = 0; number <= 2; ++number) {
    const long result = call(SYS_dup2, fd, number);
    if (result < 0) return to_result(result);
  }
  if (fd > 2) call(SYS_close, fd);
  return 0;
}

PLASH_EXPORT(pid_t, forkpty, int *master, char *name, const struct termios *settings,
             const struct winsize *size) {
  int master_fd;
  int slave_fd;
  if (wrapped_openpty(&master_fd, &slave_fd, name, settings, size) != 0) return -1;
  const pid_t pid = fork();
  if (pid == 0) {
    call(SYS_close, master_fd);
    if (wrapped_login_tty(slave_fd) != 0) _exit(1);
    return 0;
  }
  const int error = errno;
  call(SYS_close, slave_fd);
  if (pid < 0) {
    call(SYS_close, master_fd);
    return fail(error);
  }
  *master = master_fd;
  return pid;
}

PLASH_EXPORT(int, daemon, int keep_directory, int keep_descriptors) {
  const pid_t pid = fork();
  if (pid < 0) return -1;
  if (pid > 0) _exit(0);
  if (setsid() < 0) return -1;
  if (keep_directory == 0) call(SYS_chdir, "/");
  if (keep_descriptors != 0) return 0;
  const long fd = call(SYS_openat, AT_FDCWD, _PATH_DEVNULL, O_RDWR);
  if (fd < 0) return to_result(fd);
  for (int number = 0; number <= 2; ++number) call(SYS_dup2, fd, number);
  if (fd > 2) call(SYS_close, fd);
  return 0;
}

}  // namespace plash::preload
