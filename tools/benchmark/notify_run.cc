// SPDX-License-Identifier: LGPL-2.1-or-later
//
// usage: bench-notify PROGRAM [ARGUMENT]...
//
// The closest peer: runs a program under a seccomp filter whose user notifications a supervisor
// answers. It reads paths from the program's memory, carries calls out itself and puts descriptors
// into the program with ADDFD and SEND in one; notifications wake synchronously where the kernel
// can (6.6). It grants everything: a policy would come on top, so this is the least that such a
// supervisor costs.
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include "tools/benchmark/notify_calls.h"

// Since Linux 6.6; not in Debian 12's headers.
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

namespace plash::benchmark {
namespace {

// Enough for calls that block (FIFOs) not to stop the others.
constexpr int supervisor_threads = 4;

// The listener, or -1.
int install_filter() {
  std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
  };
  for (std::size_t i = 0; i < notified_call_count; ++i) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(notified_calls[i]),
                               static_cast<unsigned char>(notified_call_count - i), 0));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
  const sock_fprog description{static_cast<unsigned short>(program.size()), program.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                    SECCOMP_FILTER_FLAG_NEW_LISTENER, &description));
}

void answer(int listener, const seccomp_notif &notification, const Outcome &outcome) {
  if (outcome.descriptor) {
    seccomp_notif_addfd add = {};
    add.id = notification.id;
    add.flags = SECCOMP_ADDFD_FLAG_SEND;
    add.srcfd = static_cast<unsigned>(outcome.descriptor.get());
    add.newfd_flags = outcome.close_on_exec ? O_CLOEXEC : 0;
    if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) >= 0 || errno == ENOENT) return;
  }
  seccomp_notif_resp response = {};
  response.id = notification.id;
  if (outcome.kernel) {
    response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  } else if (outcome.descriptor) {
    response.error = -errno;
  } else if (outcome.result < 0) {
    response.error = static_cast<int>(outcome.result);
  } else {
    response.val = outcome.result;
  }
  ::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

void supervise(int listener) {
  for (;;) {
    seccomp_notif notification = {};
    if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notification) != 0) {
      if (errno == EINTR || errno == ENOENT) continue;
      return;
    }
    answer(listener, notification, carry_out(listener, notification));
  }
}

[[noreturn]] void run_program(int channel, char **values) {
  const int listener = install_filter();
  // By number: the parent takes it by pidfd_getfd(2).
  if (::write(channel, &listener, sizeof listener) != sizeof listener || listener < 0) ::_exit(125);
  char byte;
  // Until the parent has the listener.
  if (::read(channel, &byte, 1) != 1) ::_exit(125);
  ::close(listener);
  ::execvp(values[0], values);
  std::perror(values[0]);
  ::_exit(127);
}

int fail_with(const char *what) {
  std::perror(what);
  return 125;
}

int run(char **values) {
  int channel[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) != 0) {
    return fail_with("bench-notify: socketpair");
  }
  const pid_t child = ::fork();
  if (child < 0) return fail_with("bench-notify: fork");
  if (child == 0) run_program(channel[1], values);
  ::close(channel[1]);
  int number;
  if (::read(channel[0], &number, sizeof number) != sizeof number || number < 0) {
    return fail_with("bench-notify: no filter");
  }
  const int process = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
  const int listener = static_cast<int>(::syscall(SYS_pidfd_getfd, process, number, 0));
  if (listener < 0) return fail_with("bench-notify: pidfd_getfd");
  ::ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
  for (int i = 0; i < supervisor_threads; ++i) std::thread(supervise, listener).detach();
  if (::write(channel[0], "", 1) != 1) return fail_with("bench-notify: write");
  int status;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return fail_with("bench-notify: waitpid");
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace
}  // namespace plash::benchmark

int main(int count, char **values) {
  if (count < 2) {
    std::fprintf(stderr, "usage: bench-notify PROGRAM [ARGUMENT]...\n");
    return 2;
  }
  const int status = plash::benchmark::run(values + 1);
  std::fflush(nullptr);
  ::_exit(status);
}
