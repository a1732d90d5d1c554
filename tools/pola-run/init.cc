// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/init.h"

#include <linux/close_range.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>

#include "tools/pola-run/control.h"

namespace plash::pola_run {
namespace {

using Kind = ControlMessage::Kind;

class Init {
 public:
  Init(int control, int terminal, bool ends_others, bool own_session)
      : control_(control),
        terminal_(terminal),
        ends_others_(ends_others),
        own_session_(own_session) {}

  void start(Program &program, bool foreground) {
    program_ = ::fork();
    if (program_ == 0) start_in_child(program, foreground);
    if (program_ < 0) {
      report(Kind::exec_failed, errno);
      ::_exit(0);
    }
    // Here too, since it is not known which of the two comes first.
    ::setpgid(program_, program_);
    close_what_is_the_programs();
  }

  [[noreturn]] void loop() {
    sigset_t child_signal;
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    std::array<pollfd, 2> sources = {{{control_, POLLIN, 0}, {-1, POLLIN, 0}}};
    sources[1].fd = ::signalfd(-1, &child_signal, SFD_CLOEXEC | SFD_NONBLOCK);
    for (;;) {
      reap();
      if (::poll(sources.data(), sources.size(), -1) < 0) continue;
      signalfd_siginfo ignored;
      while (::read(sources[1].fd, &ignored, sizeof ignored) > 0) {
      }
      if (sources[0].revents != 0 && !obey()) {
        sources[0].fd = -1;  // pola-run is gone
        orphaned_ = true;
        if (stopped_) end_stop();
      }
    }
  }

 private:
  [[noreturn]] void start_in_child(Program &program, bool foreground) {
    ::setpgid(0, 0);
    if (foreground) ::tcsetpgrp(terminal_, ::getpid());
    for (const int descriptor : program.terminal_descriptors) ::dup2(terminal_, descriptor);
    try {
      if (program.enter_walls) program.enter_walls();
    } catch (const std::exception &error) {
      ControlMessage message;
      message.kind = Kind::failed;
      message.set_text(error.what());
      send_control(control_, message);
      ::_exit(127);
    }
    report(Kind::exec_failed, execute(program));
    ::_exit(127);
  }

  // What the end of a PID namespace does where there is one. confine_signals() has seen to it that
  // nothing but what this process has started can be reached, which pola-run's being out of reach
  // confirms.
  void end_others() const {
    if (!ends_others_ || ::kill(::getppid(), 0) == 0) return;
    ::kill(-1, SIGKILL);
    while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
    }
  }

  // What it held on to would be open for as long as the sandbox lives: objects of the server, and
  // the writing ends of pipes.
  void close_what_is_the_programs() {
    unsigned first = 0;
    for (const int descriptor : {std::min(control_, terminal_), std::max(control_, terminal_)}) {
      if (descriptor < 0) continue;
      const unsigned number = static_cast<unsigned>(descriptor);
      if (number > first) ::close_range(first, number - 1, 0);
      first = number + 1;
    }
    ::close_range(first, ~0u, 0);
  }

  void report(Kind kind, int number) {
    ControlMessage message;
    message.kind = kind;
    message.number = number;
    message.has_terminal = has_terminal();
    send_control(control_, message);
  }

  void reap() {
    int status;
    for (pid_t child; (child = ::waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0;) {
      if (child != program_) continue;
      if (WIFSTOPPED(status)) {
        stopped_ = true;
        report(Kind::stopped, WSTOPSIG(status));
        if (orphaned_) end_stop();
      } else if (WIFCONTINUED(status)) {
        stopped_ = false;
      } else {
        end_others();
        report(Kind::ended, status);
        ::_exit(0);
      }
    }
  }

  bool obey() {
    ControlMessage message;
    if (!receive_control(control_, message)) return false;
    switch (message.kind) {
      case Kind::deliver:
        deliver(message);
        break;
      case Kind::foreground:
        ::tcsetpgrp(terminal_, group());
        ::kill(-group(), SIGCONT);
        break;
      case Kind::background:
        ::tcsetpgrp(terminal_, ::getpgrp());
        ::kill(-group(), SIGCONT);
        break;
      case Kind::resume:
        ::kill(-group(), SIGCONT);
        break;
      default:
        break;
    }
    return true;
  }

  // As the kernel does for a process group that is orphaned: nobody is left to continue it.
  void end_stop() {
    ::kill(-group(), SIGHUP);
    ::kill(-group(), SIGCONT);
  }

  void deliver(const ControlMessage &message) {
    if (message.queued) {
      sigval value;
      value.sival_int = message.value;
      ::sigqueue(program_, message.number, value);
    } else {
      ::kill(message.to_group ? -group() : program_, message.number);
    }
  }

  // In its caller's session, a process group outside of the PID namespace shows as 0.
  bool has_terminal() const {
    if (terminal_ < 0) return false;
    const pid_t foreground = ::tcgetpgrp(terminal_);
    if (own_session_) return foreground > 0 && foreground != ::getpgrp();
    return ::getpid() == 1 ? foreground > 0 : foreground == group();
  }

  // The program may have moved to another.
  pid_t group() const {
    const pid_t group = ::getpgid(program_);
    return group > 1 ? group : program_;
  }

  const int control_;
  const int terminal_;
  pid_t program_ = -1;
  const bool ends_others_;
  const bool own_session_;
  bool stopped_ = false;
  bool orphaned_ = false;
};

}  // namespace

void run_init(Program &program, int control, int terminal, bool foreground) {
  // Its memory is a copy of pola-run's: nothing in the sandbox may trace it, or dump it.
  ::prctl(PR_SET_DUMPABLE, 0);
  ::prctl(PR_SET_NAME, "pola-init");
  if (program.own_session) {
    ::setsid();
    if (terminal >= 0) ::ioctl(terminal, TIOCSCTTY, 0);
  }
  Init init(control, terminal, program.enter_walls != nullptr, program.own_session);
  init.start(program, foreground);
  ::malloc_trim(0);  // what setting up took is not needed while it waits
  init.loop();
}

}  // namespace plash::pola_run
