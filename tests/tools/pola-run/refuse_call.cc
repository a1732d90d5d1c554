// SPDX-License-Identifier: LGPL-2.1-or-later
//
// usage: refuse_call NAME PROGRAM [ARG]...
// Runs a program for which the system call NAME fails with EPERM, as on a system that does not
// allow it.
#include <seccomp.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

int main(int count, char **arguments) {
  if (count < 3) return 2;
  const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  const int number = seccomp_syscall_resolve_name(arguments[1]);
  if (filter == nullptr || number == __NR_SCMP_ERROR ||
      seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0) != 0 ||
      seccomp_load(filter) != 0) {
    std::fprintf(stderr, "refuse_call: cannot refuse %s\n", arguments[1]);
    return 2;
  }
  ::execvp(arguments[2], arguments + 2);
  std::perror(arguments[2]);
  return 2;
}
