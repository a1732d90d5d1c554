// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Files open for writing that are on their way to a client: for a moment the server has them open
// too, and a client which is quick could see its next execve(2) fail with ETXTBSY for that alone.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <set>

namespace plash::server {

class Transit {
 public:
  // Outlives the server's copy of such a file.
  class Ticket {
   public:
    explicit Ticket(Transit &transit) : transit_(transit) {
      const std::lock_guard lock(transit_.mutex_);
      number_ = transit_.next_++;
      transit_.open_.insert(number_);
    }
    ~Ticket() {
      const std::lock_guard lock(transit_.mutex_);
      transit_.open_.erase(number_);
      transit_.changed_.notify_all();
    }
    Ticket(const Ticket &) = delete;
    Ticket &operator=(const Ticket &) = delete;

   private:
    Transit &transit_;
    std::uint64_t number_;
  };

  // Returns when the server has closed what it had sent before; soon at any rate.
  void wait() {
    std::unique_lock lock(mutex_);
    if (open_.empty()) return;
    const std::uint64_t now = next_;
    changed_.wait_for(lock, std::chrono::milliseconds(50),
                      [&] { return open_.empty() || *open_.begin() >= now; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t next_ = 0;
  std::set<std::uint64_t> open_;
};

}  // namespace plash::server
