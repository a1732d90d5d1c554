// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The child of posix_spawn(3), from its birth to execve(2). It runs in the parent's memory with all
// signals blocked.
#include "shim/preload/spawn_child.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "shim/preload/exec.h"
#include "shim/preload/spawn_actions.h"
#include "shim/preload/wrap.h"

namespace plash::preload {
namespace {

constexpr int last_signal = 64;
// Signals that libc keeps for itself: SIGCANCEL and SIGSETXID.
constexpr int first_internal_signal = 32;
constexpr int last_internal_signal = 33;

// The kernel's struct sigaction.
struct KernelSignalAction {
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)();
  KernelSignalSet mask;
};

constexpr long signal_set_size = sizeof(KernelSignalSet);

// No handler may run in the parent's memory: each becomes SIG_DFL, as execve(2) would make it.
void reset_signals(KernelSignalSet to_default) noexcept {
  for (int number = 1; number <= last_signal; ++number) {
    KernelSignalAction action = {};
    if ((to_default >> (number - 1) & 1) == 0) {
      if (number >= first_internal_signal && number <= last_internal_signal) {
        action.handler = SIG_IGN;
      } else {
        system_call(SYS_rt_sigaction, number, 0, as_argument(&action), signal_set_size);
        if (action.handler == SIG_IGN || action.handler == SIG_DFL) continue;
        action = {};
      }
    }
    system_call(SYS_rt_sigaction, number, as_argument(&action), 0, signal_set_size);
  }
}

long set_scheduling(const SpawnRequest &request) noexcept {
  if ((request.flags & POSIX_SPAWN_SETSCHEDULER) != 0) {
    return system_call(SYS_sched_setscheduler, 0, request.policy, as_argument(&request.parameters));
  }
  if ((request.flags & POSIX_SPAWN_SETSCHEDPARAM) != 0) {
    return system_call(SYS_sched_setparam, 0, as_argument(&request.parameters));
  }
  return 0;
}

long set_session_and_ids(const SpawnRequest &request) noexcept {
  long result = 0;
  if ((request.flags & POSIX_SPAWN_SETSID) != 0) result = system_call(SYS_setsid);
  if (result >= 0 && (request.flags & POSIX_SPAWN_SETPGROUP) != 0) {
    result = system_call(SYS_setpgid, 0, request.group);
  }
  if (result >= 0 && (request.flags & POSIX_SPAWN_RESETIDS) != 0) {
    result = system_call(SYS_setresuid, -1, system_call(SYS_getuid), -1);
    if (result >= 0) result = system_call(SYS_setresgid, -1, system_call(SYS_getgid), -1);
  }
  return result < 0 ? result : 0;
}

// Closing what is not open is no error; closing what cannot be open is.
long close_quietly(int fd) noexcept {
  const long result = call(SYS_close, fd);
  if (result == 0) return 0;
  rlimit limit;
  system_call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, as_argument(&limit));
  return fd < 0 || static_cast<rlim_t>(fd) >= limit.rlim_cur ? result : 0;
}

long open_at(const SpawnAction &action) noexcept {
  // Closed first, as POSIX has it: the new file may need its place.
  call(SYS_close, action.fd);
  const long fd = call(SYS_openat, AT_FDCWD, action.path, action.flags, action.mode);
  if (fd < 0 || fd == action.fd) return fd;
  const long result = call(SYS_dup2, fd, action.fd);
  if (result < 0) return result;
  return call(SYS_close, fd);
}

long duplicate(const SpawnAction &action) noexcept {
  if (action.source != action.fd) return call(SYS_dup2, action.source, action.fd);
  // Onto itself: only close-on-exec goes.
  const long flags = call(SYS_fcntl, action.fd, F_GETFD);
  return flags < 0 ? flags : call(SYS_fcntl, action.fd, F_SETFD, flags & ~FD_CLOEXEC);
}

long perform(const SpawnAction &action) noexcept {
  using Kind = SpawnAction::Kind;
  switch (action.kind) {
    case Kind::close:
      return close_quietly(action.fd);
    case Kind::open:
      return open_at(action);
    case Kind::duplicate:
      return duplicate(action);
    case Kind::chdir:
      return call(SYS_chdir, action.path);
    case Kind::fchdir:
      return call(SYS_fchdir, action.fd);
    case Kind::close_from:
      return call(SYS_close_range, action.fd, ~0u, 0);
    case Kind::set_foreground_group: {
      const auto group = static_cast<int>(system_call(SYS_getpgid, 0));
      return system_call(SYS_ioctl, action.fd, TIOCSPGRP, as_argument(&group));
    }
  }
  return -EINVAL;
}

long perform_all(const posix_spawn_file_actions_t *actions) noexcept {
  if (actions == nullptr) return 0;
  for (int i = 0; i < spawn_action_count(*actions); ++i) {
    const long result = perform(spawn_actions(*actions)[i]);
    if (result < 0) return result;
  }
  return 0;
}

}  // namespace

int run_spawned_child(void *argument) {
  auto *request = static_cast<SpawnRequest *>(argument);
  reset_signals(request->signals_to_default);
  long result = set_scheduling(*request);
  if (result == 0) result = set_session_and_ids(*request);
  if (result == 0) result = perform_all(request->actions);
  if (result == 0) {
    system_call(SYS_rt_sigprocmask, SIG_SETMASK, as_argument(&request->signal_mask), 0,
                signal_set_size);
    result = request->search_path
                 ? search_and_execute(request->file, request->argv, request->envp, false)
                 : call(SYS_execve, request->file, request->argv, request->envp);
  }
  request->error = static_cast<int>(-result);
  system_call(SYS_exit_group, 127);
  __builtin_unreachable();
}

}  // namespace plash::preload
