// SPDX-License-Identifier: LGPL-2.1-or-later
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <ucontext.h>

#include "tests/ldso-hooks/pitfalls/pitfall.h"

using pitfall::in_child;
using pitfall::raw;
using pitfall::report;
using pitfall::try_open;

namespace {

volatile sig_atomic_t handled;
volatile int opened;

void count(int) { handled = handled + 1; }
void open_in_handler(int) {
  opened = try_open();
  handled = handled + 1;
}

void handle(int signal, void (*handler)(int), int flags = 0, bool full_mask = false) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  if (full_mask) sigfillset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

void alarm_in(long microseconds) {
  const itimerval timer{{0, 0}, {0, microseconds}};
  setitimer(ITIMER_REAL, &timer, nullptr);
}

sigset_t full() {
  sigset_t set;
  sigfillset(&set);
  return set;
}

sigset_t full_without(int signal) {
  sigset_t set = full();
  sigdelset(&set, signal);
  return set;
}

// All but SIGSYS, which reads back differently in the loader door.
void print_mask(const char *what) {
  sigset_t set;
  sigprocmask(SIG_BLOCK, nullptr, &set);
  printf("%s:", what);
  for (int signal = 1; signal < 65; ++signal) {
    if (signal != SIGSYS && sigismember(&set, signal) == 1) printf(" %d", signal);
  }
  printf("\n");
}

}  // namespace

CASE(block_all_then_open) {
  const sigset_t set = full();
  report("block", sigprocmask(SIG_SETMASK, &set, nullptr));
  report("open", try_open());
  print_mask("mask");
  const sigset_t some = full_without(SIGUSR1);
  report("set", sigprocmask(SIG_SETMASK, &some, nullptr));
  print_mask("mask");
  report("unblock", sigprocmask(SIG_UNBLOCK, &set, nullptr));
  print_mask("mask");
  report("block again", sigprocmask(SIG_BLOCK, &set, nullptr));
  report("bad how", sigprocmask(77, &set, nullptr));
  report("open", try_open());
}

CASE(raw_mask_of_64_ones) {
  const unsigned long ones = ~0ul;
  unsigned long old = 1;
  report("set", raw(SYS_rt_sigprocmask, SIG_SETMASK, reinterpret_cast<long>(&ones),
                    reinterpret_cast<long>(&old), 8));
  printf("old %lx\n", old);
  report("open", try_open());
  report("wrong size", raw(SYS_rt_sigprocmask, SIG_SETMASK, reinterpret_cast<long>(&ones), 0, 16));
  report("bad set", raw(SYS_rt_sigprocmask, SIG_SETMASK, 8, 0, 8));
  report("bad old", raw(SYS_rt_sigprocmask, SIG_SETMASK, reinterpret_cast<long>(&ones), 8, 8));
}

CASE(handler_with_full_mask_opens) {
  handle(SIGUSR1, open_in_handler, 0, true);
  opened = -1;
  raise(SIGUSR1);
  report("opened", opened);
  report("open", try_open());
}

CASE(action_reads_back) {
  handle(SIGUSR2, count, SA_RESTART | SA_NODEFER);
  struct sigaction old = {};
  report("query", sigaction(SIGUSR2, nullptr, &old));
  printf("%d %x\n", old.sa_handler == count, static_cast<unsigned>(old.sa_flags) & 0xfbffffff);
  report("SIGKILL", sigaction(SIGKILL, &old, nullptr));
  report("65", sigaction(65, &old, nullptr));
  report("wrong size", raw(SYS_rt_sigaction, SIGUSR1, 0, 0, 16));
  report("bad action", raw(SYS_rt_sigaction, SIGUSR1, 8, 0, 8));
  report("bad old", raw(SYS_rt_sigaction, SIGUSR1, 0, 8, 8));
}

CASE(sigsuspend_with_full_mask) {
  handle(SIGALRM, open_in_handler);
  const sigset_t block = full();
  sigprocmask(SIG_SETMASK, &block, nullptr);
  alarm_in(20000);
  const sigset_t wait = full_without(SIGALRM);
  report("sigsuspend", sigsuspend(&wait));
  printf("handled %d opened %d\n", static_cast<int>(handled), opened >= 0);
  print_mask("mask");
}

CASE(ppoll_with_mask) {
  handle(SIGALRM, open_in_handler);
  const sigset_t block = full();
  sigprocmask(SIG_SETMASK, &block, nullptr);
  alarm_in(20000);
  const sigset_t wait = full_without(SIGALRM);
  report("ppoll", ppoll(nullptr, 0, nullptr, &wait));
  printf("handled %d\n", static_cast<int>(handled));
  const timespec soon{0, 1000000};
  report("time out", ppoll(nullptr, 0, &soon, &wait));
  report("bad mask", raw(SYS_ppoll, 0, 0, 0, 8, 8));
  report("wrong size", raw(SYS_ppoll, 0, 0, 0, reinterpret_cast<long>(&wait), 4));
  print_mask("mask");
}

CASE(pselect_with_mask) {
  handle(SIGALRM, open_in_handler);
  const sigset_t block = full();
  sigprocmask(SIG_SETMASK, &block, nullptr);
  alarm_in(20000);
  const sigset_t wait = full_without(SIGALRM);
  report("pselect", pselect(0, nullptr, nullptr, nullptr, nullptr, &wait));
  printf("handled %d\n", static_cast<int>(handled));
  timespec soon{0, 1000000};
  report("no mask", pselect(0, nullptr, nullptr, nullptr, &soon, nullptr));
  report("time out", pselect(0, nullptr, nullptr, nullptr, &soon, &wait));
}

CASE(epoll_pwait_with_mask) {
  handle(SIGALRM, open_in_handler);
  const sigset_t block = full();
  sigprocmask(SIG_SETMASK, &block, nullptr);
  alarm_in(20000);
  const sigset_t wait = full_without(SIGALRM);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event;
  report("epoll_pwait", epoll_pwait(epoll, &event, 1, -1, &wait));
  printf("handled %d\n", static_cast<int>(handled));
  report("time out", epoll_pwait(epoll, &event, 1, 1, &wait));
}

CASE(registers_survive_a_masked_wait) {
  const unsigned long mask = ~0ul;
  const timespec soon{0, 1000};
  long result = SYS_ppoll;
  register long r10 __asm__("r10") = reinterpret_cast<long>(&mask);
  register long r8 __asm__("r8") = 8;
  register long r9 __asm__("r9") = 0x1234567890;
  long rdi = 0, rsi = 0, rdx = reinterpret_cast<long>(&soon);
  const long r10_before = r10, rdx_before = rdx;
  __asm__ volatile("syscall"
                   : "+a"(result), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r10), "+r"(r8), "+r"(r9)
                   :
                   : "rcx", "r11", "memory");
  printf("%ld %d %d %d %d %d\n", result, rdi == 0 && rsi == 0, rdx == rdx_before, r10 == r10_before,
         r8 == 8, r9 == 0x1234567890);
}

CASE(handler_changes_mask_in_frame) {
  struct sigaction action = {};
  action.sa_flags = SA_SIGINFO;
  action.sa_sigaction = [](int, siginfo_t *, void *context) {
    sigfillset(&static_cast<ucontext_t *>(context)->uc_sigmask);
  };
  sigaction(SIGUSR1, &action, nullptr);
  raise(SIGUSR1);
  print_mask("mask");
  report("open", try_open());
}

CASE(siglongjmp_out_of_handlers) {
  static sigjmp_buf environment;
  handle(SIGUSR1, [](int) {
    try_open();
    siglongjmp(environment, 1);
  });
  static int i;
  for (i = 0; i < 2000; ++i) {
    if (sigsetjmp(environment, 1) == 0) raise(SIGUSR1);
  }
  print_mask("mask");
  report("open", try_open());
}

CASE(contexts_switch) {
  static ucontext_t main_context, other;
  static char stack[65536];
  getcontext(&other);
  sigfillset(&other.uc_sigmask);
  other.uc_stack.ss_sp = stack;
  other.uc_stack.ss_size = sizeof stack;
  other.uc_link = &main_context;
  makecontext(
      &other, +[] { report("open in context", try_open()); }, 0);
  report("swap", swapcontext(&main_context, &other));
  report("open", try_open());
}

CASE(timer_storm) {
  // Each alarm is set when the last has been dealt with: with an interval, a machine that takes
  // longer for the handler would do nothing else.
  const auto open_and_go_on = [](int signal) {
    open_in_handler(signal);
    alarm_in(200);
  };
  handle(SIGALRM, open_and_go_on, SA_RESTART);
  alarm_in(200);
  int failed = 0;
  for (int i = 0; i < 20000; ++i) failed += try_open() < 0;
  signal(SIGALRM, SIG_IGN);
  printf("failed %d, handled some %d, last %d\n", failed, handled > 0, opened >= 0);
}

CASE(signalfd_and_sigwait) {
  const sigset_t block = full();
  sigprocmask(SIG_SETMASK, &block, nullptr);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, SIGUSR1);
  const int descriptor = signalfd(-1, &one, SFD_CLOEXEC);
  raise(SIGUSR1);
  signalfd_siginfo information = {};
  report("read", read(descriptor, &information, sizeof information));
  printf("signal %u\n", information.ssi_signo);
  raise(SIGUSR1);
  report("sigwaitinfo", sigwaitinfo(&one, nullptr));
  const timespec soon{0, 1000000};
  report("sigtimedwait", sigtimedwait(&block, nullptr, &soon));
}

CASE(interrupted_and_restarted_read) {
  int ends[2];
  if (pipe(ends) != 0) return;
  char byte;
  handle(SIGALRM, open_in_handler);
  alarm_in(10000);
  report("read", read(ends[0], &byte, 1));
  static int write_end;
  write_end = ends[1];
  handle(
      SIGALRM,
      [](int) {
        if ((handled = handled + 1) == 3 && write(write_end, "x", 1) != 1) handled = 100;
        if (handled < 3) alarm_in(10000);
      },
      SA_RESTART);
  alarm_in(10000);
  report("read", read(ends[0], &byte, 1));
  printf("handled %d\n", static_cast<int>(handled));
}

CASE(thread_with_small_stack_and_all_blocked) {
  const sigset_t block = full();
  pthread_sigmask(SIG_SETMASK, &block, nullptr);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, static_cast<size_t>(sysconf(_SC_THREAD_STACK_MIN)));
  pthread_t threads[8];
  for (auto &thread : threads) {
    pthread_create(
        &thread, &attributes,
        [](void *) -> void * {
          long failed = 0;
          for (int i = 0; i < 500; ++i) failed += try_open() < 0;
          return reinterpret_cast<void *>(failed);
        },
        nullptr);
  }
  for (auto &thread : threads) {
    void *failed;
    pthread_join(thread, &failed);
    printf("failed %ld\n", reinterpret_cast<long>(failed));
  }
}

CASE(cancel_a_thread_in_a_call) {
  static int ends[2];
  if (pipe(ends) != 0) return;
  const auto run = [](void *(*function)(void *)) {
    pthread_t thread;
    pthread_create(&thread, nullptr, function, nullptr);
    usleep(10000);
    pthread_cancel(thread);
    void *result;
    pthread_join(thread, &result);
    printf("cancelled %d\n", result == PTHREAD_CANCELED);
  };
  run([](void *) -> void * {
    char byte;
    return reinterpret_cast<void *>(read(ends[0], &byte, 1));
  });
  run([](void *) -> void * {
    const sigset_t none = {};
    ppoll(nullptr, 0, nullptr, &none);
    return nullptr;
  });
  run([](void *) -> void * {
    for (;;) try_open();
  });
}

CASE(stop_and_continue_in_sigsuspend) {
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    handle(SIGUSR1, count);
    const sigset_t wait = full_without(SIGUSR1);
    sigsuspend(&wait);
    _exit(handled == 1 ? 7 : 8);
  }
  usleep(20000);
  int status;
  kill(child, SIGSTOP);
  waitpid(child, &status, WUNTRACED);
  printf("stopped %d\n", WIFSTOPPED(status));
  kill(child, SIGCONT);
  usleep(20000);
  report("still there", waitpid(child, &status, WNOHANG));
  kill(child, SIGUSR1);
  waitpid(child, &status, 0);
  printf("exit %d\n", WEXITSTATUS(status));
}

CASE(vfork_child_does_not_change_parents_mask) {
  const pid_t child = vfork();
  if (child == 0) {
    unsigned long ones = ~0ul;
    raw(SYS_rt_sigprocmask, SIG_SETMASK, reinterpret_cast<long>(&ones), 0, 8);
    _exit(try_open() >= 0 ? 3 : 4);
  }
  int status;
  waitpid(child, &status, 0);
  printf("exit %d\n", WEXITSTATUS(status));
  print_mask("mask");
}
