// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

namespace plash::pola_run {

Terminal::Terminal() : descriptor_(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) {}

bool Terminal::is_ours() const {
  return descriptor_ && ::tcgetpgrp(descriptor_.get()) == ::getpgrp();
}

bool Terminal::is_standard() const {
  // tcgetpgrp() fails on what is not the controlling terminal.
  return ::tcgetpgrp(STDIN_FILENO) >= 0 && ::tcgetpgrp(STDOUT_FILENO) >= 0;
}

bool Terminal::is_for_program() const { return is_ours() && is_standard(); }

void Terminal::take_back() {
  if (!descriptor_) return;
  borrower_ = ::tcgetpgrp(descriptor_.get());
  ::tcsetpgrp(descriptor_.get(), ::getpgrp());
}

void Terminal::give_again() {
  if (is_ours() && borrower_ > 0) ::tcsetpgrp(descriptor_.get(), borrower_);
}

void Terminal::take_back_from_dead() {
  if (!descriptor_ || is_ours()) return;
  const pid_t holder = ::tcgetpgrp(descriptor_.get());
  if (holder > 0 && ::kill(-holder, 0) != 0 && errno == ESRCH) take_back();
}

}  // namespace plash::pola_run
