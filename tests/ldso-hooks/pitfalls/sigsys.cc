// SPDX-License-Identifier: LGPL-2.1-or-later
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <ucontext.h>

#include "tests/ldso-hooks/pitfalls/pitfall.h"

using pitfall::in_child;
using pitfall::raw;
using pitfall::report;
using pitfall::try_open;

namespace {

volatile int handled;
volatile int code, value;

void on_sigsys(int, siginfo_t *information, void *) {
  handled = handled + 1;
  code = information->si_code;
  value = information->si_value.sival_int;
  try_open();
}

void handle_sigsys(void (*handler)(int, siginfo_t *, void *), int flags = 0) {
  struct sigaction action = {};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | flags;
  report("sigaction", sigaction(SIGSYS, &action, nullptr));
}

// Installs: number gives action, everything else is allowed.
long install(unsigned number, unsigned action, bool by_prctl = false) {
  sock_filter instructions[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, action),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{4, instructions};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (by_prctl) return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

}  // namespace

CASE(sigsys_sent_by_kill) {
  handle_sigsys(on_sigsys);
  raise(SIGSYS);
  printf("handled %d code %d\n", handled, code);
  const sigval queued{.sival_int = 42};
  sigqueue(getpid(), SIGSYS, queued);
  printf("handled %d code %d value %d\n", handled, code, value);
  struct sigaction old = {};
  report("query", sigaction(SIGSYS, nullptr, &old));
  printf("same handler %d\n", old.sa_sigaction == on_sigsys);
  report("open", try_open());
}

CASE(sigsys_default_kills) {
  in_child("default", [] { raise(SIGSYS); });
  in_child("reset", [] {
    handle_sigsys(on_sigsys, static_cast<int>(SA_RESETHAND));
    raise(SIGSYS);
    report("open", try_open());
    raise(SIGSYS);
  });
}

CASE(sigsys_ignored) {
  report("ignore", signal(SIGSYS, SIG_IGN) == SIG_DFL);
  raise(SIGSYS);
  report("open", try_open());
  report("was ignored", signal(SIGSYS, SIG_DFL) == SIG_IGN);
}

CASE(sigsys_ignored_across_exec) {
  if (getenv("SECOND") != nullptr) {
    report("ignored", signal(SIGSYS, SIG_DFL) == SIG_IGN);
    return;
  }
  signal(SIGSYS, SIG_IGN);
  setenv("SECOND", "1", 1);
  execv(pitfall::arguments[0], pitfall::arguments);
}

CASE(own_filter_traps) {
  handle_sigsys([](int, siginfo_t *information, void *raw_context) {
    printf("trapped %d errno %d code %d\n", information->si_syscall == SYS_getppid,
           information->si_errno, information->si_code);
    static_cast<ucontext_t *>(raw_context)->uc_mcontext.gregs[REG_RAX] = 4711;
    try_open();
  });
  report("install", install(SYS_getppid, SECCOMP_RET_TRAP | 99));
  report("getppid", raw(SYS_getppid));
  report("open", try_open());
  in_child("in a child", [] { report("getppid", raw(SYS_getppid)); });
}

CASE(own_filter_gives_errno) {
  report("install", install(SYS_getpgid, SECCOMP_RET_ERRNO | ENOLINK, true));
  report("getpgid", getpgid(0));
  report("open", try_open());
  in_child("spawned", [] { report("system", system("/bin/true")); });
}

CASE(own_filter_on_what_the_loader_uses) {
  report("install", install(SYS_rt_sigprocmask, SECCOMP_RET_KILL_PROCESS));
  report("open", try_open());
  report("install", install(SYS_socketpair, SECCOMP_RET_KILL_PROCESS));
  report("open", try_open());
}

CASE(own_filter_kills) {
  in_child("untrapped", [] {
    if (install(SYS_getppid, SECCOMP_RET_KILL_PROCESS) == 0) raw(SYS_getppid);
  });
  in_child("trapped without a handler", [] {
    if (install(SYS_getppid, SECCOMP_RET_TRAP) == 0) raw(SYS_getppid);
  });
}

CASE(bad_filters) {
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  report("no program", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 0));
  const sock_fprog empty{0, nullptr};
  report("empty", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &empty));
  const sock_fprog wild{4, reinterpret_cast<sock_filter *>(8)};
  report("wild", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &wild));
  sock_filter nonsense[] = {{0xffff, 0, 0, 0}};
  const sock_fprog invalid{1, nonsense};
  report("invalid", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &invalid));
  report("open", try_open());
}

CASE(own_filter_on_calls_with_paths) {
  report("install", install(SYS_mkdir, SECCOMP_RET_ERRNO | ENOLINK));
  report("mkdir", raw(SYS_mkdir, reinterpret_cast<long>("made"), 0777));
  report("mkdirat", raw(SYS_mkdirat, AT_FDCWD, reinterpret_cast<long>("made"), 0777));
  report("install", install(SYS_openat, SECCOMP_RET_ERRNO | EPERM));
  report("openat", open("file", O_RDONLY));
  report("open", raw(SYS_open, reinterpret_cast<long>("file"), O_RDONLY));
  in_child("in a child", [] { report("openat", open("file", O_RDONLY)); });
}

CASE(own_filter_traps_calls_with_paths) {
  // A broker: opens for the program what the filter sends to its handler.
  handle_sigsys([](int, siginfo_t *information, void *raw_context) {
    auto &registers = static_cast<ucontext_t *>(raw_context)->uc_mcontext.gregs;
    printf("trapped %d errno %d path %s\n", information->si_syscall == SYS_openat,
           information->si_errno, reinterpret_cast<const char *>(registers[REG_RSI]));
    registers[REG_RAX] = raw(SYS_open, registers[REG_RSI], registers[REG_RDX], 0);
  });
  report("install", install(SYS_openat, SECCOMP_RET_TRAP | 7));
  const int descriptor = open("file", O_RDONLY);
  report("open", descriptor);
  char byte = 0;
  report("read", read(descriptor, &byte, 1));
}

CASE(own_filter_kills_calls_with_paths) {
  in_child("openat", [] {
    if (install(SYS_openat, SECCOMP_RET_KILL_PROCESS) == 0) open("file", O_RDONLY);
  });
}

CASE(own_filter_is_inherited_by_exec) {
  if (getenv("SECOND") != nullptr) {
    report("mkdir", raw(SYS_mkdir, reinterpret_cast<long>("made"), 0777));
    report("open", try_open());
    return;
  }
  report("install", install(SYS_mkdir, SECCOMP_RET_ERRNO | ENOLINK));
  setenv("SECOND", "1", 1);
  execv(pitfall::arguments[0], pitfall::arguments);
}
