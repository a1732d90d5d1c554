// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Prints what a process was started with, for the tests that start it. It asks the kernel by
// descriptor and number only, so that it says the same with and without a /proc.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int main() {
  printf("group leader %d\n", getpgrp() == getpid());
  printf("session leader %d\n", getsid(0) == getpid());
  printf("policy %d\n", sched_getscheduler(0));
  sigset_t blocked;
  sigprocmask(SIG_SETMASK, nullptr, &blocked);
  for (int number = 1; number < SIGRTMIN; ++number) {
    struct sigaction action;
    if (sigismember(&blocked, number) == 1) printf("blocked %d\n", number);
    if (sigaction(number, nullptr, &action) != 0) continue;
    if (action.sa_handler == SIG_IGN) printf("ignored %d\n", number);
    if (action.sa_handler != SIG_IGN && action.sa_handler != SIG_DFL)
      printf("handled %d\n", number);
  }
  for (int fd = 0; fd < 64; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) printf("open %d\n", fd);
  }
  return 0;
}
