// SPDX-License-Identifier: LGPL-2.1-or-later
//
// posix_spawn(3) and posix_spawnp(3). The child shares the parent's memory (CLONE_VM), on a stack
// of its own, and the parent waits until it has executed its program (CLONE_VFORK).
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "shim/preload/spawn_child.h"
#include "shim/preload/wrap.h"

namespace plash::preload {
namespace {

// For the child: the engine, the names that the search for the file makes, and an argument list for
// the shell are in it. Untouched pages cost nothing.
constexpr size_t stack_size = 64 * 1024;

KernelSignalSet to_kernel(const sigset_t &set) noexcept {
  KernelSignalSet bits;
  memcpy(&bits, &set, sizeof bits);
  return bits;
}

void take_attributes(SpawnRequest &request, const posix_spawnattr_t *attributes) noexcept {
  if (attributes == nullptr) return;
  short flags = 0;
  posix_spawnattr_getflags(attributes, &flags);
  request.flags = flags;
  posix_spawnattr_getpgroup(attributes, &request.group);
  posix_spawnattr_getschedpolicy(attributes, &request.policy);
  posix_spawnattr_getschedparam(attributes, &request.parameters);
  sigset_t set;
  if ((flags & POSIX_SPAWN_SETSIGDEF) != 0) {
    posix_spawnattr_getsigdefault(attributes, &set);
    request.signals_to_default = to_kernel(set);
  }
  if ((flags & POSIX_SPAWN_SETSIGMASK) != 0) {
    posix_spawnattr_getsigmask(attributes, &set);
    request.signal_mask = to_kernel(set);
  }
}

int spawn(pid_t *pid, const char *file, bool search_path, const posix_spawn_file_actions_t *actions,
          const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]) noexcept {
  if (!is_set_up) set_up();
  SpawnRequest request = {};
  request.file = file;
  request.search_path = search_path;
  request.actions = actions;
  request.argv = argv;
  request.envp = envp;

  void *stack = mmap(nullptr, stack_size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return errno;
  int cancel_state;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
  // All of them, libc's own too, which pthread_sigmask(3) leaves out.
  const KernelSignalSet all = ~KernelSignalSet{0};
  KernelSignalSet mask;
  system_call(SYS_rt_sigprocmask, SIG_BLOCK, as_argument(&all), as_argument(&mask), sizeof mask);
  request.signal_mask = mask;
  take_attributes(request, attributes);

  const int child = clone(run_spawned_child, static_cast<char *>(stack) + stack_size,
                          CLONE_VM | CLONE_VFORK | SIGCHLD, &request);
  int error = child < 0 ? errno : request.error;
  if (child > 0 && error != 0) {
    int status;
    while (system_call(SYS_wait4, child, as_argument(&status), 0, 0) == -EINTR) continue;
  }
  munmap(stack, stack_size);
  system_call(SYS_rt_sigprocmask, SIG_SETMASK, as_argument(&mask), 0, sizeof mask);
  pthread_setcancelstate(cancel_state, nullptr);
  if (error == 0 && pid != nullptr) *pid = child;
  return error;
}

}  // namespace

PLASH_EXPORT(int, posix_spawn, pid_t *pid, const char *path,
             const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
             char *const argv[], char *const envp[]) {
  const int saved = errno;
  const int error = spawn(pid, path, false, actions, attributes, argv, envp);
  errno = saved;
  return error;
}

// A file that the kernel cannot execute is an error, ENOEXEC, as in glibc since 2.15.
PLASH_EXPORT(int, posix_spawnp, pid_t *pid, const char *file,
             const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
             char *const argv[], char *const envp[]) {
  const int saved = errno;
  const int error = spawn(pid, file, true, actions, attributes, argv, envp);
  errno = saved;
  return error;
}

}  // namespace plash::preload
