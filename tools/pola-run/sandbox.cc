// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/sandbox.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "tools/pola-run/control.h"
#include "tools/pola-run/error.h"
#include "tools/pola-run/init.h"

namespace plash::pola_run {
namespace {

using Kind = ControlMessage::Kind;

void send_kind(int control, Kind kind) {
  ControlMessage message;
  message.kind = kind;
  send_control(control, message);
}

[[noreturn]] void run_child(Program &program, const std::optional<IsolationSettings> &isolation,
                            int control, int terminal, bool foreground) {
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  ControlMessage message;
  ControlDescriptors mounts;
  if (!receive_control(control, message)) ::_exit(1);  // pola-run could not go on
  try {
    if (isolation) {
      SandboxMounts made = isolate(*isolation);
      mounts = {std::move(made.processes), std::move(made.terminals)};
      if (isolation->kind == IsolationSettings::Kind::landlock) {
        program.enter_walls = [&isolation] { enter_landlock_sandbox(*isolation); };
      }
    } else {
      make_room_for_service_descriptors();
    }
    if (!program.starts && program.enter_walls) program.enter_walls();
  } catch (const std::exception &error) {
    message.kind = Kind::failed;
    message.set_text(error.what());
    send_control(control, message);
    ::_exit(1);
  }
  message = {};
  message.kind = Kind::isolated;
  if (!send_control(control, message, &mounts)) ::_exit(1);
  for (UniqueFd &mount : mounts) mount.reset();
  if (!program.starts) {
    receive_control(control, message);  // until pola-run has seen enough
    ::_exit(0);
  }
  run_init(program, control, terminal, foreground);
}

SandboxMounts await_isolation(int control) {
  ControlMessage message;
  ControlDescriptors mounts;
  if (!receive_control(control, message, &mounts)) {
    throw Error(ExitStatus::failure, "the sandbox's first process died while it was set up");
  }
  if (message.kind != Kind::isolated) throw Error(ExitStatus::failure, message.text);
  return {std::move(mounts[0]), std::move(mounts[1])};
}

}  // namespace

Sandbox fork_sandbox(Program &program, const std::optional<IsolationSettings> &isolation,
                     int terminal, bool foreground) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    throw Error(ExitStatus::failure, "cannot make a socket pair", errno);
  }
  UniqueFd control(ends[0]), childs_control(ends[1]);
  const bool in_namespaces =
      isolation && isolation->kind == IsolationSettings::Kind::user_namespace;
  const pid_t child = in_namespaces ? fork_into_namespaces() : ::fork();
  if (child < 0) throw Error(ExitStatus::failure, "cannot fork", errno);
  if (child == 0) {
    control.reset();
    run_child(program, isolation, childs_control.get(), terminal, foreground);
  }
  childs_control.reset();
  SandboxMounts mounts;
  try {
    if (in_namespaces) map_ids(child, isolation->ids);
    send_kind(control.get(), Kind::ids_mapped);
    mounts = await_isolation(control.get());
  } catch (...) {
    control.reset();  // which ends the child
    ::waitpid(child, nullptr, 0);
    throw;
  }
  return {child, std::move(control), std::move(mounts)};
}

}  // namespace plash::pola_run
