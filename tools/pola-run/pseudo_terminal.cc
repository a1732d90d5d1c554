// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/pseudo_terminal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "tools/pola-run/error.h"

namespace plash::pola_run {
namespace {

[[noreturn]] void fail() {
  throw Error(ExitStatus::failure, "cannot make a terminal for the sandbox", errno);
}

void set_nonblocking(int descriptor) {
  ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
}

bool would_block(int error) { return error == EAGAIN || error == EINTR; }

}  // namespace

// Takes in what there is where all was handed on.
void PseudoTerminal::Direction::take(int from) {
  if (!empty() || ended) return;
  const ssize_t size = ::read(from, bytes.data(), bytes.size());
  // A pseudo-terminal that nobody has open on the other side gives EIO.
  ended = size == 0 || (size < 0 && !would_block(errno));
  start = 0;
  end = static_cast<std::size_t>(std::max<ssize_t>(size, 0));
}

// Hands on what goes.
void PseudoTerminal::Direction::give(int to) {
  if (empty()) return;
  const ssize_t size = ::write(to, bytes.data() + start, end - start);
  if (size > 0) start += static_cast<std::size_t>(size);
  if (size < 0 && !would_block(errno)) start = end;  // to nowhere
}

// The caller's terminal turns newlines into carriage return and newline itself, when it is not raw:
// the pseudo-terminal has done so already.
void PseudoTerminal::Direction::undo_output_processing() {
  const auto is_needless = [this](std::size_t i) {
    return bytes[i] == '\r' && i + 1 < end && bytes[i + 1] == '\n';
  };
  std::size_t kept = 0;
  for (std::size_t i = 0; i < end; ++i) {
    if (!is_needless(i)) bytes[kept++] = bytes[i];
  }
  end = kept;
}

PseudoTerminal::PseudoTerminal(int callers, bool keeps_output_processing)
    : callers_(callers),
      keeps_output_processing_(keeps_output_processing),
      master_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
  char name[64];
  if (!master_ || ::grantpt(master_.get()) != 0 || ::unlockpt(master_.get()) != 0 ||
      ::ptsname_r(master_.get(), name, sizeof name) != 0) {
    fail();
  }
  path_ = name;
  slave_.reset(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!slave_ || ::tcgetattr(callers_, &callers_modes_) != 0 ||
      ::tcsetattr(slave_.get(), TCSANOW, &callers_modes_) != 0) {
    fail();
  }
  resize();
  set_nonblocking(callers_);
  set_nonblocking(master_.get());
}

PseudoTerminal::~PseudoTerminal() { stop_input(); }

void PseudoTerminal::start_input() {
  // The caller may have changed its mind about the modes while it had the terminal.
  if (!has_input_ && ::tcgetattr(callers_, &callers_modes_) != 0) return;
  termios modes = callers_modes_;
  ::cfmakeraw(&modes);
  if (keeps_output_processing_) modes.c_oflag = callers_modes_.c_oflag;
  ::tcsetattr(callers_, TCSANOW, &modes);
  has_input_ = true;
  resize();
}

void PseudoTerminal::stop_input() {
  if (!has_input_) return;
  ::tcsetattr(callers_, TCSANOW, &callers_modes_);
  has_input_ = false;
}

void PseudoTerminal::resize() {
  winsize size;
  if (::ioctl(callers_, TIOCGWINSZ, &size) == 0) ::ioctl(master_.get(), TIOCSWINSZ, &size);
}

std::array<pollfd, PseudoTerminal::source_count> PseudoTerminal::sources() const {
  std::array<pollfd, source_count> sources = {{{-1, 0, 0}, {-1, 0, 0}}};
  pollfd &callers = sources[0], &sandboxes = sources[1];
  if (may_read() && typed_.empty() && !typed_.ended) callers.events |= POLLIN;
  if (!written_.empty()) callers.events |= POLLOUT;
  if (written_.empty() && !written_.ended) sandboxes.events |= POLLIN;
  if (!typed_.empty()) sandboxes.events |= POLLOUT;
  if (callers.events != 0) callers.fd = callers_;
  if (sandboxes.events != 0) sandboxes.fd = master_.get();
  return sources;
}

// The shell may have taken the terminal while this process was stopped by force.
bool PseudoTerminal::may_read() const { return has_input_ && ::tcgetpgrp(callers_) == ::getpgrp(); }

void PseudoTerminal::relay() {
  take_output();
  written_.give(callers_);
  if (may_read()) typed_.take(callers_);
  typed_.give(master_.get());
}

void PseudoTerminal::take_output() {
  if (!written_.empty()) return;
  written_.take(master_.get());
  if (!has_input_ || keeps_output_processing_) written_.undo_output_processing();
}

void PseudoTerminal::finish() {
  slave_.reset();
  for (;;) {
    while (!written_.empty()) {
      pollfd output = {callers_, POLLOUT, 0};
      ::poll(&output, 1, -1);
      written_.give(callers_);
    }
    take_output();
    // Where the other side is open somewhere still, nothing more is waited for.
    if (written_.empty()) return;
  }
}

std::vector<int> find_terminal(const std::vector<int> &descriptors, int terminal) {
  std::vector<int> found;
  const pid_t session = ::tcgetsid(terminal);
  // Only for the caller's own controlling terminal does the kernel say whose it is.
  std::copy_if(
      descriptors.begin(), descriptors.end(), std::back_inserter(found),
      [session](int descriptor) { return session > 0 && ::tcgetsid(descriptor) == session; });
  return found;
}

}  // namespace plash::pola_run
