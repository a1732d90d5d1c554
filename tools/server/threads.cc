// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/threads.h"

#include <csignal>
#include <thread>

namespace plash::server {
namespace {

// A new thread inherits the mask of the one that made it.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &old_);
  }
  ~AllSignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &old_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked &) = delete;
  AllSignalsBlocked &operator=(const AllSignalsBlocked &) = delete;

 private:
  sigset_t old_;
};

}  // namespace

void Threads::spawn(std::function<void()> body) {
  {
    const std::lock_guard lock(mutex_);
    ++count_;
  }
  const auto end = [this] {
    const std::lock_guard lock(mutex_);
    --count_;
    ended_.notify_all();
  };
  try {
    const AllSignalsBlocked blocked;
    std::thread([end, body = std::move(body)]() mutable {
      body();
      body = nullptr;  // what it holds goes before the server does
      end();
    }).detach();
  } catch (...) {
    end();
    throw;
  }
}

void Threads::wait() {
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [this] { return count_ == 0; });
}

}  // namespace plash::server
