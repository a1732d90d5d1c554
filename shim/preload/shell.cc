// SPDX-License-Identifier: LGPL-2.1-or-later
//
// system(3), popen(3) and pclose(3), on our posix_spawn(3).
#include <fcntl.h>
#include <paths.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/preload/wrap.h"

namespace plash::preload {
namespace {

constexpr int status_127 = 127 << 8;  // exit status of a shell that could not be executed

int run_shell(pid_t *pid, const char *command, const posix_spawn_file_actions_t *actions,
              const posix_spawnattr_t *attributes) noexcept {
  char name[] = "sh";
  char option[] = "-c";
  char *argv[] = {name, option, const_cast<char *>(command), nullptr};
  return posix_spawn(pid, _PATH_BSHELL, actions, attributes, argv, environ);
}

int wait_for(pid_t pid) {
  int status;
  pid_t result;
  do {
    result = waitpid(pid, &status, 0);
  } while (result < 0 && errno == EINTR);
  return result == pid ? status : -1;
}

// SIGINT and SIGQUIT are ignored while any thread is in system(): the first to come sets that, the
// last to leave restores what was.
pthread_mutex_t running_lock = PTHREAD_MUTEX_INITIALIZER;
int running = 0;
struct sigaction interrupt_action;
struct sigaction quit_action;

void enter() noexcept {
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  pthread_mutex_lock(&running_lock);
  if (running++ == 0) {
    sigaction(SIGINT, &ignore, &interrupt_action);
    sigaction(SIGQUIT, &ignore, &quit_action);
  }
  pthread_mutex_unlock(&running_lock);
}

void leave() noexcept {
  pthread_mutex_lock(&running_lock);
  if (--running == 0) {
    sigaction(SIGINT, &interrupt_action, nullptr);
    sigaction(SIGQUIT, &quit_action, nullptr);
  }
  pthread_mutex_unlock(&running_lock);
}

int run_and_wait(const char *command) {
  enter();
  sigset_t child_signal;
  sigset_t mask;
  sigemptyset(&child_signal);
  sigaddset(&child_signal, SIGCHLD);
  pthread_sigmask(SIG_BLOCK, &child_signal, &mask);
  // The shell gets what its caller had: ignored where the caller ignored it.
  sigset_t to_default;
  sigemptyset(&to_default);
  if (interrupt_action.sa_handler != SIG_IGN) sigaddset(&to_default, SIGINT);
  if (quit_action.sa_handler != SIG_IGN) sigaddset(&to_default, SIGQUIT);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigmask(&attributes, &mask);
  posix_spawnattr_setsigdefault(&attributes, &to_default);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  int cancel_state;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
  pid_t pid;
  const int error = run_shell(&pid, command, nullptr, &attributes);
  const int status = error == 0 ? wait_for(pid) : status_127;
  pthread_setcancelstate(cancel_state, nullptr);
  posix_spawnattr_destroy(&attributes);
  leave();
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  if (error != 0) errno = error;
  return status;
}

// The streams of popen(), each with its child. Entries are reused, never freed.
struct OpenPipe {
  FILE *stream;  // null: free
  int fd;
  pid_t pid;
  OpenPipe *next;
};
pthread_mutex_t pipes_lock = PTHREAD_MUTEX_INITIALIZER;
OpenPipe *pipes = nullptr;

OpenPipe *find_pipe(const FILE *stream) noexcept {
  OpenPipe *pipe = pipes;
  while (pipe != nullptr && pipe->stream != stream) pipe = pipe->next;
  return pipe;
}

OpenPipe *free_pipe() noexcept {
  OpenPipe *pipe = find_pipe(nullptr);
  if (pipe != nullptr) return pipe;
  pipe = static_cast<OpenPipe *>(calloc(1, sizeof(OpenPipe)));
  if (pipe == nullptr) return nullptr;
  pipe->next = pipes;
  pipes = pipe;
  return pipe;
}

struct PipeMode {
  bool reads = false;
  bool writes = false;
  bool close_on_exec = false;
};

bool parse(const char *text, PipeMode &mode) noexcept {
  for (; *text != '\0'; ++text) {
    if (*text == 'r') {
      mode.reads = true;
    } else if (*text == 'w') {
      mode.writes = true;
    } else if (*text == 'e') {
      mode.close_on_exec = true;
    } else {
      return false;
    }
  }
  return mode.reads != mode.writes;
}

// Starts the shell with child_end as its standard input or output, and without the streams of
// earlier popen() calls. The list must be locked.
int start(pid_t *pid, const char *command, int child_end, int child_number) noexcept {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  int error = posix_spawn_file_actions_adddup2(&actions, child_end, child_number);
  for (OpenPipe *pipe = pipes; pipe != nullptr && error == 0; pipe = pipe->next) {
    if (pipe->stream != nullptr && pipe->fd != child_number) {
      error = posix_spawn_file_actions_addclose(&actions, pipe->fd);
    }
  }
  if (error == 0) error = run_shell(pid, command, &actions, nullptr);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

}  // namespace

PLASH_EXPORT(int, system, const char *command) {
  // Is there a shell?
  if (command == nullptr) return run_and_wait("exit 0") == 0;
  if (!__libc_single_threaded) pthread_testcancel();
  return run_and_wait(command);
}

PLASH_EXPORT(FILE *, popen, const char *command, const char *mode_text) {
  PipeMode mode;
  if (!parse(mode_text, mode)) return fail_null<FILE>(EINVAL);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return nullptr;
  const int own_end = ends[mode.reads ? 0 : 1];
  int child_end = ends[mode.reads ? 1 : 0];
  const int child_number = mode.reads ? STDOUT_FILENO : STDIN_FILENO;
  int error = 0;
  // In its place already, it would keep close-on-exec in the child, or lose it in the parent.
  if (child_end == child_number) {
    const long moved = call(SYS_fcntl, child_end, F_DUPFD_CLOEXEC, 0);
    if (moved < 0) error = static_cast<int>(-moved);
    if (moved >= 0) {
      call(SYS_close, child_end);
      child_end = static_cast<int>(moved);
    }
  }
  FILE *stream = error == 0 ? fdopen(own_end, mode.reads ? "r" : "w") : nullptr;
  if (error == 0 && stream == nullptr) error = errno;
  if (error == 0) {
    pthread_mutex_lock(&pipes_lock);
    // One that was closed by fclose(3) may have left its entry behind.
    OpenPipe *pipe = find_pipe(stream);
    if (pipe != nullptr) pipe->stream = nullptr;
    pipe = free_pipe();
    error = pipe == nullptr ? ENOMEM : start(&pipe->pid, command, child_end, child_number);
    if (error == 0) {
      pipe->stream = stream;
      pipe->fd = own_end;
    }
    pthread_mutex_unlock(&pipes_lock);
  }
  call(SYS_close, child_end);
  if (error == 0) {
    if (!mode.close_on_exec) call(SYS_fcntl, own_end, F_SETFD, 0);
    return stream;
  }
  if (stream != nullptr) {
    fclose(stream);
  } else {
    call(SYS_close, own_end);
  }
  return fail_null<FILE>(error);
}
PLASH_ALIAS(_IO_popen, popen);

PLASH_EXPORT(int, pclose, FILE *stream) {
  pthread_mutex_lock(&pipes_lock);
  OpenPipe *pipe = find_pipe(stream);
  pid_t pid = -1;
  if (pipe != nullptr) {
    pid = pipe->pid;
    pipe->stream = nullptr;
  }
  pthread_mutex_unlock(&pipes_lock);
  const int closed = fclose(stream);
  // As in glibc: a stream that popen() did not make is only closed.
  return pipe != nullptr ? wait_for(pid) : closed;
}

}  // namespace plash::preload
