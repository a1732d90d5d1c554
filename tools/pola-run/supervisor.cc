// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/supervisor.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "tools/pola-run/control.h"
#include "tools/pola-run/error.h"

namespace plash::pola_run {
namespace {

using Kind = ControlMessage::Kind;

sigset_t only(int signal) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, signal);
  return signals;
}

sigset_t supervised_signals() {
  sigset_t signals;
  sigfillset(&signals);
  for (const int fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS}) {
    sigdelset(&signals, fault);
  }
  sigdelset(&signals, SIGRTMIN);  // the server interrupts its own threads by it
  return signals;
}

class Supervisor {
 public:
  Supervisor(const Sandbox &sandbox, Terminal &terminal, PseudoTerminal *own)
      : sandbox_(sandbox), control_(sandbox.control.get()), terminal_(terminal), own_(own) {}

  // Returns the wait status, or sets exec_error.
  int run() {
    const sigset_t signals = supervised_signals();
    const UniqueFd incoming(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!incoming) throw Error(ExitStatus::failure, "cannot receive signals", errno);
    std::array<pollfd, 2 + PseudoTerminal::source_count> sources = {
        {{control_, POLLIN, 0}, {incoming.get(), POLLIN, 0}, {-1, 0, 0}, {-1, 0, 0}}};
    while (!ended_) {
      if (own_ != nullptr) {
        const auto terminals = own_->sources();
        std::copy(terminals.begin(), terminals.end(), sources.begin() + 2);
      }
      if (::poll(sources.data(), sources.size(), -1) < 0) continue;
      signalfd_siginfo signal;
      while (::read(incoming.get(), &signal, sizeof signal) == sizeof signal) pass_on(signal);
      if (own_ != nullptr && (sources[2].revents != 0 || sources[3].revents != 0)) own_->relay();
      if (sources[0].revents != 0) hear();
    }
    // The first process takes everything else in the sandbox with it.
    int status = 0;
    while (::waitpid(sandbox_.first_process, &status, 0) < 0 && errno == EINTR) {
    }
    if (own_ != nullptr) {
      own_->finish();
      own_->stop_input();
    }
    return first_process_died_ ? status : status_;
  }

  int exec_error() const { return exec_error_; }

  // Why the last walls could not be put up; empty where they were.
  const std::string &failure() const { return failure_; }

 private:
  void send(Kind kind) {
    ControlMessage message;
    message.kind = kind;
    send_control(control_, message);
  }

  void pass_on(const signalfd_siginfo &signal) {
    const auto number = static_cast<int>(signal.ssi_signo);
    const bool from_kernel = signal.ssi_code == SI_KERNEL;
    if (number == SIGCHLD) return;                 // the control socket tells more
    if (number == SIGPIPE && from_kernel) return;  // pola-run's own log
    if (number == SIGCONT) {
      if (own_ != nullptr && own_->has_input() && terminal_.is_ours()) own_->start_input();
      return send(Kind::resume);
    }
    if (number == SIGWINCH && own_ != nullptr && from_kernel) return own_->resize();
    ControlMessage message;
    message.kind = Kind::deliver;
    message.number = number;
    message.to_group = from_kernel;  // typed at the terminal
    message.queued = signal.ssi_code == SI_QUEUE;
    message.value = signal.ssi_int;
    send_control(control_, message);
  }

  void hear() {
    ControlMessage message;
    if (!receive_control(control_, message)) {
      first_process_died_ = ended_ = true;
      if (own_ == nullptr) terminal_.take_back_from_dead();
      return;
    }
    switch (message.kind) {
      case Kind::failed:
        failure_ = message.text;
        break;
      case Kind::exec_failed:
        exec_error_ = message.number;
        break;
      case Kind::stopped:
        stop_too(message.number, message.has_terminal);
        break;
      case Kind::ended:
        status_ = message.number;
        ended_ = true;
        if (message.has_terminal && own_ == nullptr) terminal_.take_back();
        break;
      default:
        break;
    }
  }

  // The shell is to see its job stop, and the rest of a pipeline to stop with it.
  void stop_too(int signal, bool has_terminal) {
    const bool wants_terminal = signal == SIGTTIN || signal == SIGTTOU;
    if (wants_terminal && terminal_.is_ours()) {
      if (own_ != nullptr) own_->start_input();
      return send(Kind::foreground);
    }
    if (own_ != nullptr) return stop_with_own_terminal(signal, has_terminal);
    if (has_terminal) terminal_.take_back();
    const bool stopped = stop_self(signal, has_terminal && signal != SIGSTOP);
    // In an orphaned process group nobody could ever continue it.
    if (!stopped && wants_terminal) hang_up();
    if (has_terminal) terminal_.give_again();
    send(Kind::resume);
  }

  // With a terminal of its own the sandbox does not have the caller's: what changes is who reads
  // from that. In the background its programs are to stop when they read.
  void stop_with_own_terminal(int signal, bool has_terminal) {
    const bool wants_terminal = signal == SIGTTIN || signal == SIGTTOU;
    own_->relay();
    own_->stop_input();
    const bool stopped = stop_self(signal, has_terminal && signal != SIGSTOP);
    if (!stopped && wants_terminal) hang_up();
    if (!has_terminal && !wants_terminal) return send(Kind::resume);
    if (!terminal_.is_ours()) return send(Kind::background);
    own_->start_input();
    send(Kind::foreground);
  }

  // Stops pola-run, or its whole process group, as signal would have. Returns when it is continued,
  // or false at once where the kernel ignores the signal.
  static bool stop_self(int signal, bool group) {
    const sigset_t stopping = only(signal), continuing = only(SIGCONT);
    ::kill(group ? 0 : ::getpid(), signal);
    ::pthread_sigmask(SIG_UNBLOCK, &stopping, nullptr);  // takes effect here, but for SIGSTOP
    ::pthread_sigmask(SIG_BLOCK, &stopping, nullptr);
    const timespec at_once = {};
    return ::sigtimedwait(&continuing, nullptr, &at_once) == SIGCONT;
  }

  void hang_up() {
    ControlMessage message;
    message.kind = Kind::deliver;
    message.number = SIGHUP;
    message.to_group = true;
    send_control(control_, message);
  }

  const Sandbox &sandbox_;
  const int control_;
  Terminal &terminal_;
  PseudoTerminal *const own_;
  bool ended_ = false;
  bool first_process_died_ = false;
  int exec_error_ = 0;
  std::string failure_;
  int status_ = 0;
};

}  // namespace

void take_over_signals(Program &program) {
  const sigset_t signals = supervised_signals();
  ::sigprocmask(SIG_BLOCK, &signals, &program.signal_mask);
  struct sigaction action = {};
  ::sigaction(SIGCHLD, nullptr, &action);
  program.child_signal_ignored = action.sa_handler == SIG_IGN;
  ::signal(SIGCHLD, SIG_DFL);
}

int supervise(const Sandbox &sandbox, const std::string &program, Terminal &terminal,
              PseudoTerminal *own, bool foreground) {
  Supervisor supervisor(sandbox, terminal, own);
  if (own != nullptr && foreground) own->start_input();
  const int status = supervisor.run();
  if (!supervisor.failure().empty()) throw Error(ExitStatus::failure, supervisor.failure());
  if (const int error = supervisor.exec_error(); error != 0) {
    const bool missing = error == ENOENT || error == ENOTDIR;
    throw Error(missing ? ExitStatus::not_found : ExitStatus::cannot_execute,
                "cannot execute '" + program + "'", error);
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
    std::fprintf(stderr,
                 "pola-run: '%s' was ended by SIGSYS: unless it sent that itself, it made a system "
                 "call of the 32-bit or x32 interface, which a sandbox refuses\n",
                 program.c_str());
  }
  return status;
}

void end_like(int wait_status) {
  if (!WIFSIGNALED(wait_status)) std::_Exit(WEXITSTATUS(wait_status));
  const int number = WTERMSIG(wait_status);
  const rlimit none = {0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE,
          0);  // for a core_pattern that is a program, which the limit does not stop
  ::signal(number, SIG_DFL);
  ::kill(::getpid(), number);
  const sigset_t signals = only(number);
  ::sigprocmask(SIG_UNBLOCK, &signals, nullptr);
  std::_Exit(128 + number);  // a signal that does not end a process by default
}

}  // namespace plash::pola_run
