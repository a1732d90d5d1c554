// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Workers around one epoll instance.
#pragma once

#include <cstdint>
#include <functional>

#include "tools/server/workers.h"
#include "tools/support/unique_fd.h"

namespace plash::server {

class EventLoop {
 public:
  // Called on a worker for each event.
  using Handler = std::function<void(std::uint64_t key, std::uint32_t events)>;

  // Throws std::system_error.
  explicit EventLoop(Budget &threads);
  ~EventLoop() { stop(); }
  EventLoop(const EventLoop &) = delete;
  EventLoop &operator=(const EventLoop &) = delete;

  int epoll() const { return epoll_.get(); }
  Workers &workers() { return workers_; }
  // Watches fd, or watches it anew, so that an event that still holds is reported again. Keys are
  // not 0. 0 or -errno.
  int add(int fd, std::uint32_t events, std::uint64_t key);
  int modify(int fd, std::uint32_t events, std::uint64_t key);

  // Starts the first worker. Throws std::system_error.
  void start(Handler handler);
  // Returns when all workers have ended.
  void stop();

 private:
  Workers::Turn turn();

  UniqueFd epoll_;
  UniqueFd stop_;
  Handler handler_;
  Workers workers_;
};

}  // namespace plash::server
