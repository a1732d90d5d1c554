// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Threads that wait for the same thing. One of them is always waiting, as long as the limit allows,
// so that what comes never waits for a worker that is busy with something else.
#pragma once

#include <atomic>
#include <functional>

#include "tools/server/budget.h"
#include "tools/server/threads.h"

namespace plash::server {

class Workers {
 public:
  enum class Turn {
    worked,
    idle,  // nothing came for a while: a surplus worker ends
    over,  // nothing will come any more
  };

  // limit: counts the threads of all that share it; the first of each is not counted, so that it
  // can be had.
  explicit Workers(Budget &limit) : limit_(limit) {}

  // Starts the first worker. turn waits once and does what came; what it throws is lost. at_end is
  // called on the last worker when it ends. Throws std::system_error.
  void start(std::function<Turn()> turn, std::function<void()> at_end = {});
  // Returns when all have ended, each with Turn::over.
  void wait() { threads_.wait(); }
  // One of them is waiting, or about to.
  bool has_idle() const { return idle_ > 0; }
  // All have ended, and at_end was called.
  bool ended() const { return ended_; }

  // While it lives, the worker that made it may take long: another one has to be waiting.
  class Busy {
   public:
    explicit Busy(Workers &workers) : workers_(workers) { workers_.leave_idle(); }
    ~Busy() { ++workers_.idle_; }
    Busy(const Busy &) = delete;
    Busy &operator=(const Busy &) = delete;

   private:
    Workers &workers_;
  };

 private:
  void leave_idle();
  void spawn(bool counted);
  void work();

  Budget &limit_;
  std::function<Turn()> turn_;
  std::function<void()> at_end_;
  std::atomic<bool> ended_{false};
  std::atomic<int> idle_{0};
  std::atomic<unsigned> count_{0};
  Threads threads_;
};

}  // namespace plash::server
