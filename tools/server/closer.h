// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Closes descriptors that clients sent. close(2) of some kinds waits for somebody else (a TCP
// socket that lingers, a file whose file system is another process, a device): those are closed on
// threads of their own, where nobody waits for it.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <vector>

#include "tools/server/threads.h"
#include "tools/support/unique_fd.h"

namespace plash::server {

class Closer {
 public:
  Closer() = default;
  ~Closer();
  // Never throws; where all of its threads are stuck and its queue is full it closes at once.
  void close(std::vector<UniqueFd> descriptors) noexcept;

 private:
  static constexpr unsigned max_threads = 8;
  static constexpr std::size_t max_queue = 4096;

  bool enqueue(UniqueFd &descriptor);
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<UniqueFd> queue_;
  unsigned count_ = 0;  // threads
  unsigned idle_ = 0;
  bool stopping_ = false;
  Threads threads_;
};

}  // namespace plash::server
