// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/workers.h"

#include <exception>

namespace plash::server {

void Workers::start(std::function<Turn()> turn, std::function<void()> at_end) {
  turn_ = std::move(turn);
  at_end_ = std::move(at_end);
  spawn(false);
}

void Workers::spawn(bool counted) {
  ++count_;
  ++idle_;
  try {
    threads_.spawn([this, counted] {
      work();
      if (counted) limit_.give_back(1);
      if (--count_ != 0) return;
      if (at_end_) at_end_();
      ended_ = true;
    });
  } catch (...) {
    --count_;
    --idle_;
    throw;
  }
}

void Workers::leave_idle() {
  if (--idle_ > 0 || !limit_.take(1)) return;
  try {
    spawn(true);
  } catch (const std::exception &) {
    // The workers that there are have to do.
    limit_.give_back(1);
  }
}

void Workers::work() {
  for (;;) {
    Turn turn = Turn::worked;
    try {
      turn = turn_();
    } catch (const std::exception &) {
      // Memory or threads ran out: whoever waits sees end of file.
      turn = Turn::worked;
    }
    if (turn == Turn::over) break;
    int idle = idle_;
    if (turn == Turn::idle && idle > 1 && idle_.compare_exchange_strong(idle, idle - 1)) return;
  }
  --idle_;
}

}  // namespace plash::server
