// SPDX-License-Identifier: LGPL-2.1-or-later
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>

#include <string>

#include "tests/ldso-hooks/pitfalls/pitfall.h"

using pitfall::in_child;
using pitfall::raw;
using pitfall::report;
using pitfall::try_open;

namespace {

// Runs the case again in a new image, with the given environment.
void again(char **environment) {
  fflush(stdout);
  execve(pitfall::arguments[0], pitfall::arguments, environment);
  report("execve", -1);
}

void print_image() {
  int count = 0;
  for (char **entry = environ; *entry != nullptr; ++entry, ++count)
    printf("environment %s\n", *entry);
  printf("%d variables, argv[0] %s, AT_EXECFN %s\n", count, pitfall::arguments[0],
         reinterpret_cast<const char *>(getauxval(AT_EXECFN)));
  char name[16] = {};
  prctl(PR_GET_NAME, name);
  printf("name %s secure %ld\n", name, getauxval(AT_SECURE));
}

bool second() { return getenv("SECOND") != nullptr || pitfall::arguments[2] != nullptr; }

void wait_for(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  printf("status %x\n", static_cast<unsigned>(status));
}

}  // namespace

CASE(empty_environment) {
  if (pitfall::arguments[2] != nullptr) return print_image();
  static char third[] = "again";
  char *arguments[] = {pitfall::arguments[0], pitfall::arguments[1], third, nullptr};
  char *none[] = {nullptr};
  fflush(stdout);
  execve(pitfall::arguments[0], arguments, none);
}

CASE(no_environment_at_all) {
  if (pitfall::arguments[2] != nullptr) return print_image();
  static char third[] = "again";
  char *arguments[] = {pitfall::arguments[0], pitfall::arguments[1], third, nullptr};
  fflush(stdout);
  raw(SYS_execve, reinterpret_cast<long>(pitfall::arguments[0]), reinterpret_cast<long>(arguments),
      0);
}

CASE(other_name_in_argv) {
  if (second()) return print_image();
  static char name[] = "some other name", case_name[] = "other_name_in_argv", third[] = "again";
  char *arguments[] = {name, case_name, third, nullptr};
  char variable[] = "A=B";
  char *environment[] = {variable, nullptr};
  fflush(stdout);
  execve(pitfall::arguments[0], arguments, environment);
}

CASE(exec_that_fails) {
  char *none[] = {nullptr};
  report("missing", execve("missing", none, none));
  report("directory", execve("directory", none, none));
  report("not executable", execve("file", none, none));
  report("no format", execve("garbage", none, none));
  report("empty path", execve("", none, none));
  report("through a file", execve("file/x", none, none));
  report("bad path", raw(SYS_execve, 8, 0, 0));
  report("missing interpreter", execve("script-without-interpreter", none, none));
  report("bad arguments", raw(SYS_execve, reinterpret_cast<long>("/bin/true"), 4096 + 8,
                              reinterpret_cast<long>(none)));
  report("bad arguments of a script",
         raw(SYS_execve, reinterpret_cast<long>("script"), 4096 + 8, reinterpret_cast<long>(none)));
  const int script = open("script", O_RDONLY | O_CLOEXEC);
  report("script that closes",
         raw(SYS_execveat, script, reinterpret_cast<long>(""), 0, 0, AT_EMPTY_PATH));
  close(script);
  report("bad directory", raw(SYS_execveat, 77, reinterpret_cast<long>("x"), 0, 0, 0));
  report("bad flags", raw(SYS_execveat, AT_FDCWD, reinterpret_cast<long>("x"), 0, 0, 0x40000));
  report("open", try_open());
}

CASE(exec_with_signals_blocked_and_ignored) {
  if (second()) {
    sigset_t set;
    sigprocmask(SIG_BLOCK, nullptr, &set);
    for (int signal = 1; signal < 65; ++signal) {
      struct sigaction action = {};
      if (signal == SIGSYS || sigaction(signal, nullptr, &action) != 0) continue;
      if (sigismember(&set, signal) != 0 || action.sa_handler == SIG_IGN)
        printf("%d blocked %d ignored %d\n", signal, sigismember(&set, signal),
               action.sa_handler == SIG_IGN);
    }
    return;
  }
  signal(SIGUSR2, SIG_IGN);
  signal(SIGUSR1, [](int) {});
  sigset_t set;
  sigfillset(&set);
  sigdelset(&set, SIGCHLD);
  sigprocmask(SIG_SETMASK, &set, nullptr);
  setenv("SECOND", "1", 1);
  again(environ);
}

CASE(exec_from_a_thread) {
  if (second()) {
    report("is main thread", getpid() == gettid());
    return report("open", try_open());
  }
  setenv("SECOND", "1", 1);
  pthread_t thread;
  pthread_create(
      &thread, nullptr, [](void *) -> void * { return again(environ), nullptr; }, nullptr);
  pthread_join(thread, nullptr);
}

CASE(scripts) {
  char *none[] = {nullptr};
  for (const char *script :
       {"./script", "script", "./script-with-argument", "./script-of-script"}) {
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
      char name[] = "not the script", argument[] = "one two";
      char *arguments[] = {name, argument, nullptr};
      execve(script, arguments, none);
      report(script, -1);
      _exit(99);
    }
    wait_for(child);
  }
}

CASE(fexecve_of_program_and_script) {
  if (second()) return print_image();
  char variable[] = "SECOND=1";
  char *environment[] = {variable, nullptr};
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    const int script = open("script", O_RDONLY);
    char name[] = "x";
    char *arguments[] = {name, nullptr};
    fexecve(script, arguments, environment);
    report("script", -1);
    _exit(1);
  }
  wait_for(child);
  const int program = open(pitfall::arguments[0], O_PATH | O_CLOEXEC);
  fexecve(program, pitfall::arguments, environment);
  report("program", -1);
}

CASE(spawn) {
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t all;
  sigfillset(&all);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setsigmask(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "file", O_RDONLY, 0);
  posix_spawn_file_actions_addchdir_np(&actions, "directory");
  posix_spawn_file_actions_addclose(&actions, 3);
  for (int i = 0; i < 5; ++i) {
    pid_t child = -1;
    static char shell[] = "sh", flag[] = "-c", command[] = "read line; echo $line; ls; exit 7";
    char *arguments[] = {shell, flag, command, nullptr};
    const int result = posix_spawn(&child, "/bin/sh", &actions, &attributes, arguments, environ);
    wait_for(child);
    report("spawn", result);
    report("missing",
           posix_spawn(&child, "/bin/missing", &actions, &attributes, arguments, environ));
  }
  report("open", try_open());
}

CASE(vfork_and_exec) {
  for (int i = 0; i < 50; ++i) {
    fflush(stdout);
    const pid_t child = vfork();
    if (child == 0) {
      char name[] = "true";
      char *arguments[] = {name, nullptr};
      execve("missing", arguments, environ);
      if (errno != ENOENT) _exit(9);
      execve("/bin/true", arguments, environ);
      _exit(8);
    }
    int status;
    waitpid(child, &status, 0);
    if (status != 0) printf("status %x\n", static_cast<unsigned>(status));
  }
  report("system", system("exit 5"));
  report("open", try_open());
}

CASE(clone_with_tiny_stack) {
  // As musl's posix_spawn does.
  static char stack[5120];
  fflush(stdout);
  const pid_t child = clone(
      [](void *) {
        const int descriptor = open("file", O_RDONLY | O_CLOEXEC);
        if (descriptor < 0) return 4;
        char name[] = "true";
        char *arguments[] = {name, nullptr};
        execve("/bin/true", arguments, environ);
        return 5;
      },
      stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, nullptr);
  wait_for(child);
  report("open", try_open());
}

CASE(many_threads_spawn) {
  pthread_t threads[6];
  for (auto &thread : threads) {
    pthread_create(
        &thread, nullptr,
        [](void *) -> void * {
          long bad = 0;
          for (int i = 0; i < 15; ++i) bad += system("read x < file; test \"$x\" = contents") != 0;
          return reinterpret_cast<void *>(bad);
        },
        nullptr);
  }
  for (auto &thread : threads) {
    void *bad;
    pthread_join(thread, &bad);
    printf("bad %ld\n", reinterpret_cast<long>(bad));
  }
}

CASE(fork_in_a_handler) {
  // The next alarm is set when the last has been dealt with, however long a fork takes here.
  static constexpr itimerval soon{{0, 0}, {0, 2000}};
  signal(SIGALRM, [](int) {
    const pid_t child = fork();
    if (child == 0) _exit(try_open() >= 0 ? 1 : 2);
    int status;
    waitpid(child, &status, 0);
    if (WEXITSTATUS(status) != 1) _exit(99);
    setitimer(ITIMER_REAL, &soon, nullptr);
  });
  setitimer(ITIMER_REAL, &soon, nullptr);
  int failed = 0;
  for (int i = 0; i < 2000; ++i) failed += try_open() < 0;
  signal(SIGALRM, SIG_IGN);
  printf("failed %d\n", failed);
}

CASE(everything_closed) {
  report("close_range", static_cast<long>(close_range(3, ~0u, 0)));
  report("open", try_open());
  closefrom(3);
  report("open", try_open());
  for (int i = 3; i < 1100; ++i) {
    if (close(i) == 0 || errno != EBADF) printf("closed %d\n", i);
  }
  report("open", try_open());
  for (int i = 3; i < 1100; ++i) {
    if (fcntl(i, F_GETFD) >= 0 || errno != EBADF) printf("open %d\n", i);
  }
  report("cloexec", static_cast<long>(close_range(3, ~0u, CLOSE_RANGE_CLOEXEC)));
  report("wrong order", static_cast<long>(close_range(5, 3, 0)));
  report("bad flags", static_cast<long>(close_range(3, 4, 64)));
  in_child("shell", [] { report("system", system("read x < file")); });
}

CASE(descriptor_limit) {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = 16;
  report("set", setrlimit(RLIMIT_NOFILE, &limit));
  rlimit read_back;
  getrlimit(RLIMIT_NOFILE, &read_back);
  printf("limit %ld\n", static_cast<long>(read_back.rlim_cur));
  int last = -1;
  for (;;) {
    const int descriptor = open("file", O_RDONLY);
    if (descriptor < 0) break;
    last = descriptor;
  }
  report("open", -1);
  printf("last %d\n", last);
  report("access", access("file", R_OK));
  report("chdir", chdir("directory"));
  report("back", chdir(".."));
  close(last);
  report("one more", open("file", O_RDONLY));
  report("one too many", open("file", O_RDONLY));
  report("made for no descriptor", open("new", O_WRONLY | O_CREAT | O_EXCL, 0600));
  report("so not made", access("new", F_OK));
  close(last);
  report("system", system("read x < file; ulimit -n"));
  limit.rlim_cur = limit.rlim_max + 1;
  if (limit.rlim_max != RLIM_INFINITY) report("inverted", setrlimit(RLIMIT_NOFILE, &limit));
  report("bad pointer", raw(SYS_setrlimit, RLIMIT_NOFILE, 8));
}

// Makes so many calls that what the sandbox does only after some of them has been done.
void make_many_calls() {
  for (int i = 0; i < 70; ++i) access("file", R_OK);
}

// All that open(2) gives can be closed.
void exhaust_descriptors() {
  const int first = open("file", O_RDONLY);
  int last = first;
  for (int next; (next = dup(0)) >= 0;) last = next;
  int refused = 0;
  for (int descriptor = first; descriptor <= last; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) >= 0 && close(descriptor) != 0) ++refused;
  }
  report("not closed", refused);
  report("open", try_open() == first);
}

CASE(all_descriptors_are_closed_again) {
  exhaust_descriptors();
  make_many_calls();
  exhaust_descriptors();
  in_child("forked", [] {
    exhaust_descriptors();
    make_many_calls();
    exhaust_descriptors();
  });
  if (getenv("AGAIN") != nullptr) return;
  char mark[] = "AGAIN=1";
  char *environment[] = {mark, nullptr};
  again(environment);
}

CASE(break_grows) {
  char *start = static_cast<char *>(sbrk(0));
  report("sbrk", sbrk(1 << 20) == start);
  start[0] = start[(1 << 20) - 1] = 1;
  report("sbrk", sbrk(64 << 20) == start + (1 << 20));
}

CASE(new_namespaces_are_refused) {
  // Natively root may and others may not; only the sandbox is expected to refuse always: nothing is
  // printed but what must be the same.
  report("wrong flag", raw(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0));
}
