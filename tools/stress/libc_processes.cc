// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Operations that make processes and execute programs. Each is usable in a signal handler: _Fork()
// stands for fork(), which takes the locks of malloc.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/stress/libc_operations.h"

extern char **environ;

namespace plash::stress {
namespace {

// Succeeds where its arguments arrive whole.
constexpr const char *program = "/usr/bin/test";
char *const program_arguments[] = {const_cast<char *>("test"), const_cast<char *>("two words"),
                                   const_cast<char *>("="), const_cast<char *>("two words"),
                                   nullptr};

// Waits for the child and checks that it ended with status 0.
void join(Context &c, const char *call, pid_t child) noexcept {
  int status = 0;
  long result;
  do {
    result = waitpid(child, &status, 0);
  } while (result == -1 && errno == EINTR);
  if (!c.done("waitpid", result)) return;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  if (!c.tolerated.empty()) {
    ++c.tolerated_count;
    return;
  }
  c.fail((Text<96>() << call << ": the child ended with wait status " << long{status}).view());
}

[[noreturn]] void work_as_child(Context &c) noexcept {
  c.enter_child();
  for (int i = 0; i < 3; ++i) run_simple(c);
  if (c.tolerated_count != 0) {
    // Its names are its own: nobody else removes one for which there was no descriptor.
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    sweep(c);
  }
  _exit(0);
}

void fork_and_call(Context &c) noexcept {
  const pid_t child = _Fork();
  if (child == 0) work_as_child(c);
  if (c.done("_Fork", child)) join(c, "_Fork", child);
}

template <class Execute>
void execute(Context &c, const char *call, Execute execute_program) noexcept {
  const pid_t child = _Fork();
  if (child == 0) {
    execute_program();
    _exit(errno == 0 ? 1 : errno);
  }
  if (c.done("_Fork", child)) join(c, call, child);
}

void execve_program(Context &c) noexcept {
  execute(c, "execve", [] { execve(program, program_arguments, environ); });
}

void execv_program(Context &c) noexcept {
  execute(c, "execv", [] { execv(program, program_arguments); });
}

void execl_program(Context &c) noexcept {
  execute(c, "execl", [] { execl(program, "test", "a", "=", "a", static_cast<char *>(nullptr)); });
}

void execle_program(Context &c) noexcept {
  execute(c, "execle",
          [] { execle(program, "test", "-n", "a", static_cast<char *>(nullptr), environ); });
}

void fexecve_program(Context &c) noexcept {
  execute(c, "fexecve", [] {
    const int descriptor = open(program, O_RDONLY | O_CLOEXEC);
    if (descriptor >= 0) fexecve(descriptor, program_arguments, environ);
  });
}

// In the child's own process, so that a success would be seen.
void execve_fails(Context &c) noexcept {
  c.refused("execve", execve(Fixture(c, "none"), program_arguments, environ), ENOENT);
  c.refused("execve", execve(Fixture(c, "a/file"), program_arguments, environ), EACCES);
}

// A child that shares memory: it makes a call, then executes. Its own descriptors are a copy.
int call_and_execute(void *context) noexcept {
  Context &c = *static_cast<Context *>(context);
  struct stat status {};
  if (stat(Fixture(c, "a/link"), &status) != 0) _exit(2);
  const int descriptor = open(Fixture(c, "b/file"), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) _exit(3);
  execve(program, program_arguments, environ);
  _exit(4);
}

void vfork_and_execute(Context &c) noexcept {
  const pid_t child = vfork();
  if (child == 0) call_and_execute(&c);
  if (c.done("vfork", child)) join(c, "vfork", child);
}

void clone_and_execute(Context &c) noexcept {
  const pid_t child = clone(call_and_execute, c.child_stack + child_stack_size,
                            CLONE_VM | CLONE_VFORK | SIGCHLD, &c);
  if (c.done("clone", child)) join(c, "clone", child);
}

void spawn_program(Context &c) noexcept {
  pid_t child = -1;
  const int error = posix_spawn(&child, program, nullptr, nullptr, program_arguments, environ);
  errno = error;
  if (c.done("posix_spawn", error == 0 ? 0 : -1)) join(c, "posix_spawn", child);
}

constexpr Operation list[] = {
    {"_Fork", fork_and_call, Operation::process},
    {"execve", execve_program, Operation::process},
    {"execv", execv_program, Operation::process},
    {"execl", execl_program, Operation::process},
    {"execle", execle_program, Operation::process},
    {"fexecve", fexecve_program, Operation::process},
    {"execve, failing", execve_fails},
    {"vfork", vfork_and_execute, Operation::process},
    {"clone(CLONE_VM)", clone_and_execute, Operation::process},
    {"posix_spawn", spawn_program, Operation::process},
};

}  // namespace

std::span<const Operation> libc_process_operations() noexcept { return list; }

}  // namespace plash::stress
