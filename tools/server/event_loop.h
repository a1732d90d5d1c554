// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Worker threads around one epoll instance. One of them is always idle, as long as there are fewer
// than the limit, so that an event never waits for a worker that is busy with another.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "tools/server/threads.h"
#include "tools/support/unique_fd.h"

namespace plash::server {

class EventLoop {
 public:
  // Called on a worker for each event. What it throws is lost: the event counts as handled.
  using Handler = std::function<void(std::uint64_t key, std::uint32_t events)>;

  // Throws std::system_error.
  explicit EventLoop(unsigned max_threads);
  ~EventLoop() { stop(); }

  int epoll() const { return epoll_.get(); }
  // Watches fd, or watches it anew, so that an event that still holds is reported again. Keys are
  // not 0. 0 or -errno.
  int add(int fd, std::uint32_t events, std::uint64_t key);
  int modify(int fd, std::uint32_t events, std::uint64_t key);

  // Starts the first worker. Throws std::system_error.
  void start(Handler handler);
  // Returns when all workers have ended.
  void stop();

  // While it lives, the worker that made it may take long: another one has to be idle.
  class Busy {
   public:
    explicit Busy(EventLoop &loop) : loop_(loop) { loop_.leave_idle(); }
    ~Busy() { ++loop_.idle_; }
    Busy(const Busy &) = delete;
    Busy &operator=(const Busy &) = delete;

   private:
    EventLoop &loop_;
  };

 private:
  void leave_idle();
  void spawn_worker();
  void work();

  const unsigned max_threads_;
  UniqueFd epoll_;
  UniqueFd stop_;
  Handler handler_;
  std::atomic<int> idle_{0};
  std::atomic<unsigned> workers_{0};
  Threads threads_;
};

}  // namespace plash::server
