// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/supervisor.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "tools/pola-run/control.h"
#include "tools/pola-run/error.h"

namespace plash::pola_run {
namespace {

using Kind = ControlMessage::Kind;

class Supervisor {
 public:
  Supervisor(const Sandbox &sandbox, const std::string &program, int terminal, bool foreground)
      : sandbox_(sandbox), program_(program), terminal_(terminal), has_terminal_(foreground) {}

  int run() {
    const sigset_t signals = supervised_signals();
    const UniqueFd incoming(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!incoming) throw Error(ExitStatus::failure, "cannot receive signals", errno);
    std::array<pollfd, 2> sources = {{{sandbox_.control.get(), POLLIN, 0}, {incoming.get(), POLLIN, 0}}};
    while (!ended_) {
      if (::poll(sources.data(), sources.size(), -1) < 0) continue;
      signalfd_siginfo signal;
      while (::read(incoming.get(), &signal, sizeof signal) == sizeof signal) pass_on(signal);
      if (sources[0].revents != 0) hear();
    }
    take_terminal();
    return status_;
  }

 private:
  void send(ControlMessage message) { send_control(sandbox_.control.get(), message); }

  void send(Kind kind) {
    ControlMessage message;
    message.kind = kind;
    send(message);
  }

  void pass_on(const signalfd_siginfo &signal) {
    const auto number = static_cast<int>(signal.ssi_signo);
    // The terminal itself tells the program's process group; SIGCHLD is about the sandbox's first process.
    if (number == SIGCHLD) return;
    if (number == SIGCONT) return go_on();
    ControlMessage message;
    message.kind = Kind::deliver;
    message.number = number;
    message.to_group = signal.ssi_code == SI_KERNEL;
    message.queued = signal.ssi_code == SI_QUEUE;
    message.value = signal.ssi_int;
    send(message);
  }

  void hear() {
    ControlMessage message;
    if (!receive_control(sandbox_.control.get(), message)) return mourn();
    switch (message.kind) {
      case Kind::exec_failed:
        refuse(message.number);
      case Kind::stopped:
        stop_too();
        break;
      case Kind::ended:
        status_ = message.number;
        ended_ = true;
        break;
      default:
        break;
    }
  }

  [[noreturn]] void refuse(int error) {
    take_terminal();
    const bool missing = error == ENOENT || error == ENOTDIR;
    throw Error(missing ? ExitStatus::not_found : ExitStatus::cannot_execute, "cannot execute '" + program_ + "'", error);
  }

  void mourn() {
    take_terminal();
    int status = 0;
    ::waitpid(sandbox_.first_process, &status, 0);
    throw Error(ExitStatus::failure, "the sandbox's first process died");
  }

  // The shell is to see its job stop.
  void stop_too() {
    take_terminal();
    ::kill(::getpid(), SIGSTOP);
    go_on();
  }

  void go_on() {
    // A shell that brings the job to the foreground makes pola-run's group the terminal's, and that is handed on.
    if (terminal_ >= 0 && ::tcgetpgrp(terminal_) == ::getpgrp()) has_terminal_ = true;
    send(has_terminal_ ? Kind::foreground : Kind::resume);
  }

  // Back from the program's process group. SIGTTOU is blocked, as all signals are.
  void take_terminal() {
    if (has_terminal_) ::tcsetpgrp(terminal_, ::getpgrp());
    has_terminal_ = false;
  }

  const Sandbox &sandbox_;
  const std::string &program_;
  const int terminal_;
  bool has_terminal_;  // the program's group, from us
  bool ended_ = false;
  int status_ = 0;
};

}  // namespace

sigset_t supervised_signals() {
  sigset_t signals;
  sigfillset(&signals);
  for (const int fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT, SIGPIPE}) sigdelset(&signals, fault);
  // The server interrupts its own threads by it.
  sigdelset(&signals, SIGRTMIN);
  return signals;
}

int supervise(const Sandbox &sandbox, const std::string &program, int terminal, bool foreground) {
  return Supervisor(sandbox, program, terminal, foreground).run();
}

void end_like(int wait_status) {
  if (!WIFSIGNALED(wait_status)) std::_Exit(WEXITSTATUS(wait_status));
  const int number = WTERMSIG(wait_status);
  const rlimit none = {0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::signal(number, SIG_DFL);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, number);
  ::kill(::getpid(), number);
  ::sigprocmask(SIG_UNBLOCK, &signals, nullptr);
  std::_Exit(128 + number);  // a signal that does not end a process by default
}

}  // namespace plash::pola_run
