// SPDX-License-Identifier: LGPL-2.1-or-later
#include <pthread.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include <vector>

#include "tests/ldso-hooks/pitfalls/pitfall.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

using pitfall::report;
using pitfall::try_open;

namespace {

volatile int opened;
volatile bool on_stack;
stack_t current;

unsigned long small_size() {
  const unsigned long frame = getauxval(AT_MINSIGSTKSZ);
  return (frame != 0 ? frame : 2048) + 2048;
}

void open_in_handler(int) {
  opened = try_open();
  sigaltstack(nullptr, &current);
  on_stack = (current.ss_flags & SS_ONSTACK) != 0;
}

void handle(int signal) {
  struct sigaction action = {};
  action.sa_handler = open_in_handler;
  action.sa_flags = SA_ONSTACK;
  sigaction(signal, &action, nullptr);
}

// Memory that ends where nothing may be written.
void *guarded(unsigned long size) {
  const unsigned long mapped = (size + 4095) & ~4095ul;
  auto *memory = static_cast<char *>(
      mmap(nullptr, mapped + 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  mprotect(memory + 4096, mapped, PROT_READ | PROT_WRITE);
  return memory + 4096;
}

}  // namespace

CASE(small_alternate_stack) {
  stack_t stack = {};
  stack.ss_sp = guarded(small_size());
  stack.ss_size = small_size();
  report("set", sigaltstack(&stack, nullptr));
  stack_t old = {};
  report("query", sigaltstack(nullptr, &old));
  printf("same %d flags %d\n", old.ss_sp == stack.ss_sp && old.ss_size == stack.ss_size,
         old.ss_flags);
  handle(SIGUSR1);
  opened = -1;
  raise(SIGUSR1);
  printf("opened %d on the stack %d same %d\n", opened >= 0, on_stack,
         current.ss_sp == stack.ss_sp);
  stack_t off = {};
  off.ss_flags = SS_DISABLE;
  report("disable", sigaltstack(&off, &old));
  printf("same %d flags %d\n", old.ss_sp == stack.ss_sp && old.ss_size == stack.ss_size,
         old.ss_flags);
  report("query", sigaltstack(nullptr, &old));
  printf("flags %d size %zu\n", old.ss_flags, old.ss_size);
  raise(SIGUSR1);
  printf("opened %d on the stack %d\n", opened >= 0, on_stack);
}

CASE(deepest_calls_on_a_small_alternate_stack) {
  stack_t stack = {};
  stack.ss_sp = guarded(small_size());
  stack.ss_size = small_size();
  report("set", sigaltstack(&stack, nullptr));
  static long results[7];
  struct sigaction action = {};
  action.sa_flags = SA_ONSTACK;
  action.sa_handler = [](int) {
    const auto made = [](long number, long a1, long a2 = 0, long a3 = 0, long a4 = 0) {
      const long result = pitfall::raw(number, a1, a2, a3, a4);
      return result < 0 ? -errno : result;
    };
    const auto address = [](const void *pointer) { return reinterpret_cast<long>(pointer); };
    static char text[4096];
    static char *const arguments[] = {text, nullptr};
    results[0] = made(SYS_execve, address("missing"), address(arguments), address(environ));
    results[1] = made(SYS_execve, address("file"), address(arguments), address(environ));
    results[2] = made(SYS_rename, address("missing"), address("file"));
    results[3] = made(SYS_readlink, address("/proc/self/fd/0"), address(text), 1) == 1;
    results[4] = made(SYS_getcwd, address(text), sizeof text) > 0;
    results[5] = made(SYS_getxattr, address("file"), address("user.none"), address(text), 8);
    results[6] = made(SYS_chdir, address("."));
  };
  sigaction(SIGUSR1, &action, nullptr);
  raise(SIGUSR1);
  for (const long result : results) printf("%ld\n", result);
  report("open", try_open());
}

CASE(alternate_stacks_changed_many_times) {
  handle(SIGUSR1);
  int good = 0;
  for (unsigned long i = 0; i < 500; ++i) {
    static char memory[2][65536];
    stack_t stack = {};
    stack.ss_sp = memory[i & 1];
    stack.ss_size = i % 3 == 0 ? sizeof memory[0] : small_size() + i;
    if (sigaltstack(&stack, nullptr) != 0) break;
    raise(SIGUSR1);
    good += opened >= 0 && on_stack;
  }
  printf("good %d\n", good);
}

CASE(alternate_stack_errors) {
  static char memory[65536];
  stack_t stack = {};
  stack.ss_sp = memory;
  stack.ss_size = 1000;
  report("too small", sigaltstack(&stack, nullptr));
  stack.ss_size = sizeof memory;
  stack.ss_flags = 77;
  report("bad flags", sigaltstack(&stack, nullptr));
  report("bad pointer", pitfall::raw(SYS_sigaltstack, 8, 0));
  report("bad old pointer", pitfall::raw(SYS_sigaltstack, 0, 8));
  stack.ss_flags = 0;
  report("set", sigaltstack(&stack, nullptr));
  struct sigaction action = {};
  action.sa_flags = SA_ONSTACK;
  action.sa_handler = [](int) {
    stack_t off = {};
    off.ss_flags = SS_DISABLE;
    report("change in a handler on it", sigaltstack(&off, nullptr));
  };
  sigaction(SIGUSR1, &action, nullptr);
  raise(SIGUSR1);
}

CASE(each_thread_has_its_own_alternate_stack) {
  handle(SIGUSR1);
  for (int round = 0; round < 20; ++round) {
    pthread_t threads[4];
    for (auto &thread : threads) {
      pthread_create(
          &thread, nullptr,
          [](void *) -> void * {
            stack_t stack = {};
            stack.ss_size = small_size();
            stack.ss_sp = guarded(stack.ss_size);
            long bad = sigaltstack(&stack, nullptr) != 0;
            for (int i = 0; i < 20; ++i) {
              bad += try_open() < 0;
              pthread_kill(pthread_self(), SIGUSR1);
            }
            stack_t off = {};
            off.ss_flags = SS_DISABLE;
            stack_t old = {};
            bad += sigaltstack(&off, &old) != 0 || old.ss_sp != stack.ss_sp;
            return reinterpret_cast<void *>(bad);
          },
          nullptr);
    }
    for (auto &thread : threads) {
      void *bad;
      pthread_join(thread, &bad);
      if (bad != nullptr) printf("bad %ld\n", reinterpret_cast<long>(bad));
    }
  }
  report("open", try_open());
}

CASE(overflow_of_the_stack_is_handled) {
  static char memory[65536];
  stack_t stack = {};
  stack.ss_sp = memory;
  stack.ss_size = small_size();
  sigaltstack(&stack, nullptr);
  struct sigaction action = {};
  action.sa_flags = SA_ONSTACK;
  action.sa_handler = [](int) {
    const int descriptor = open("file", O_RDONLY);
    const char text[] = "overflow handled\n";
    const long written = write(1, text, sizeof text - 1);
    _exit(descriptor >= 0 && written > 0 ? 5 : 6);
  };
  sigaction(SIGSEGV, &action, nullptr);
  struct Deep {
    static int descend(int depth) {
      volatile char frame[4096];
      frame[0] = static_cast<char>(depth);
      return depth < 0 ? 0 : descend(depth + 1) + frame[0];
    }
  };
  fflush(stdout);
  report("never", Deep::descend(0));
}

CASE(spawn_in_a_handler_on_an_alternate_stack) {
  stack_t stack = {};
  stack.ss_size = 65536;
  stack.ss_sp = guarded(stack.ss_size);
  sigaltstack(&stack, nullptr);
  struct sigaction action = {};
  action.sa_flags = SA_ONSTACK;
  action.sa_handler = [](int) {
    char shell[] = "sh", option[] = "-c", command[] = "read x < file; test \"$x\" = contents";
    char *arguments[] = {shell, option, command, nullptr};
    pid_t child = -1;
    opened = posix_spawn(&child, "/bin/sh", nullptr, nullptr, arguments, environ);
    int status = -1;
    waitpid(child, &status, 0);
    opened = opened == 0 ? status : -1;
    sigaltstack(nullptr, &current);
  };
  sigaction(SIGUSR1, &action, nullptr);
  for (int i = 0; i < 20; ++i) {
    raise(SIGUSR1);
    if (opened != 0) printf("status %d\n", opened);
  }
  printf("on the stack %d\n", (current.ss_flags & SS_ONSTACK) != 0);
  report("open", try_open());
}
