// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The controlling terminal, and which process group has it.
#pragma once

#include <sys/types.h>

#include "tools/support/unique_fd.h"

namespace plash::pola_run {

// The program has a process group of its own, so that kill(0, ...) does not reach out of the
// sandbox; pola-run, like a shell, must give that group the terminal. Not always at once: in
// "pola-run ... | less" it is less that reads from it. Which is why there are two ways: at the
// start where both standard input and output are the terminal, otherwise when the program is
// stopped for want of it. SIGTTOU must be blocked or ignored.
class Terminal {
 public:
  // Opens the controlling terminal, if there is one.
  Terminal();

  // -1: there is none.
  int get() const { return descriptor_.get(); }

  // Whether our process group is the foreground one.
  bool is_ours() const;

  // Whether both standard input and output are the terminal, and nobody else's in a pipeline.
  bool is_standard() const;

  // Whether the program should have it from the start.
  bool is_for_program() const;

  // Makes our process group the foreground one and notes which was.
  void take_back();

  // Makes that group the foreground one again, if ours is.
  void give_again();

  // Takes it back from a group in which nobody is left.
  void take_back_from_dead();

 private:
  UniqueFd descriptor_;
  pid_t borrower_ = 0;
};

}  // namespace plash::pola_run
