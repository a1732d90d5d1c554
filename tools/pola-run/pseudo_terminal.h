// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A terminal of the sandbox's own: a pseudo-terminal that is relayed to the caller's.
#pragma once

#include <poll.h>
#include <termios.h>

#include <array>
#include <string>
#include <vector>

#include "tools/support/unique_fd.h"

namespace plash::pola_run {

// The sandbox is a session of its own, so that it can neither take the caller's terminal nor read
// what is typed there for others. What it writes to its terminal always goes to the caller's; what
// is typed goes to it while it has the input, and the caller's terminal is raw then: the
// pseudo-terminal does the editing, the echo, and the signals of Ctrl-C and Ctrl-Z.
class PseudoTerminal {
 public:
  // callers: the caller's terminal, borrowed, which becomes non-blocking. keeps_output_processing:
  // others write to it too, while it is raw. Throws Error (failure).
  PseudoTerminal(int callers, bool keeps_output_processing);
  // Restores the caller's terminal.
  ~PseudoTerminal();
  PseudoTerminal(const PseudoTerminal &) = delete;
  PseudoTerminal &operator=(const PseudoTerminal &) = delete;

  // The end that is the sandbox's; its path on the host.
  int sandboxes_end() const { return slave_.get(); }
  const std::string &path() const { return path_; }
  // To be called when the sandbox has been forked.
  void close_sandboxes_end() { slave_.reset(); }

  // Gives the sandbox the input; the caller's terminal becomes raw. Only for the foreground process
  // group. Again after somebody may have changed the terminal.
  void start_input();
  // Takes it away; the caller's terminal is as it was.
  void stop_input();
  bool has_input() const { return has_input_; }

  // Takes over the size of the caller's terminal; the kernel tells the sandbox.
  void resize();

  // What poll(2) is to wait for, and what is to be done when it has returned.
  static constexpr std::size_t source_count = 2;
  std::array<pollfd, source_count> sources() const;
  void relay();

  // Hands on what is left when nobody in the sandbox can write any more.
  void finish();

 private:
  bool may_read() const;
  void take_output();

  struct Direction {
    std::array<char, 4096> bytes;
    std::size_t start = 0, end = 0;
    bool ended = false;

    bool empty() const { return start == end; }
    void take(int from);
    void give(int to);
    void undo_output_processing();
  };

  const int callers_;
  const bool keeps_output_processing_;
  UniqueFd master_, slave_;
  std::string path_;
  termios callers_modes_ = {};
  bool has_input_ = false;
  Direction typed_, written_;
};

// Which of descriptors are the terminal, and so have to be replaced.
std::vector<int> find_terminal(const std::vector<int> &descriptors, int terminal);

}  // namespace plash::pola_run
