// SPDX-License-Identifier: LGPL-2.1-or-later
//
// FIFOs that were opened for reading by calls over sessions, from when these are told to come with
// a pair until they have. Without a reader in between, what a writer has written is lost.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <mutex>

#include "tools/support/unique_fd.h"

namespace plash::server {

class WaitingReaders {
 public:
  // Of too many the oldest is closed.
  void keep(std::shared_ptr<const UniqueFd> reader);
  // The call that goes on with another descriptor of the same FIFO is there.
  void let_go(int reader);

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    std::shared_ptr<const UniqueFd> reader;
    Clock::time_point since;
  };
  void forget_old();

  std::mutex mutex_;
  std::deque<Entry> entries_;
};

}  // namespace plash::server
