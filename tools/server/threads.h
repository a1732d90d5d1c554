// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The server's threads, counted, so that it can wait for their end.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>

namespace plash::server {

class Threads {
 public:
  Threads() = default;
  ~Threads() { wait(); }
  Threads(const Threads &) = delete;
  Threads &operator=(const Threads &) = delete;

  // Runs body, which must not throw, on a thread of its own. All signals are blocked there: they
  // are the program's that the server is part of. Throws std::system_error, std::bad_alloc.
  void spawn(std::function<void()> body);

  // Returns when all have ended.
  void wait();

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  unsigned count_ = 0;
};

}  // namespace plash::server
