// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/threads.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
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

// Calls are short: a thread that is woken for one should not wait for the end of the time slice of
// another that is busy with a client's long ones. Linux 6.12 and later; earlier ones ignore it.
void ask_for_short_slices() {
  struct {
    std::uint32_t size;
    std::uint32_t policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime;
    std::uint64_t deadline;
    std::uint64_t period;
  } attributes{};  // struct sched_attr, see sched_setattr(2)
  attributes.size = sizeof attributes;
  if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
  attributes.runtime = 100'000;  // nanoseconds, the least
  ::syscall(SYS_sched_setattr, 0, &attributes, 0);
}

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
      ask_for_short_slices();
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
