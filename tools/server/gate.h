// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Lets a limited number of calls be carried out at a time. Those that come when it is full wait in
// order, and are carried out by the threads of those that went before them: so the calls of one
// sandbox, stuck in slow files, cannot hold more than their number of the server's threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace plash::server {

template <class Job>
class Gate {
 public:
  explicit Gate(std::uint32_t limit) : limit_(limit) {}
  Gate(const Gate &) = delete;
  Gate &operator=(const Gate &) = delete;

  // True: a call may be carried out now, and leave() is to be called after it.
  bool try_enter() {
    State state = state_;
    while (state.running < limit_) {
      if (state_.compare_exchange_weak(state, {state.running + 1, 0})) return true;
    }
    return false;
  }

  // As try_enter(), but where it is full job is moved into the queue. Throws std::bad_alloc.
  bool enter(Job &job) {
    const std::lock_guard lock(mutex_);
    jobs_.emplace_back(std::move(job));
    State state = state_;
    for (;;) {
      // Those inside may all have left meanwhile: then nobody would come for it.
      if (state.running < limit_) {
        if (!state_.compare_exchange_weak(state, {state.running + 1, 0})) continue;
        job = std::move(jobs_.back());
        jobs_.pop_back();
        return true;
      }
      if (state_.compare_exchange_weak(state, {state.running, state.waiting + 1})) return false;
    }
  }

  // A call has been carried out. The next one, for the same thread and to be followed by leave()
  // again, or nothing where none waits.
  std::optional<Job> leave() {
    State state = state_;
    while (state.waiting == 0) {
      if (state_.compare_exchange_weak(state, {state.running - 1, 0})) return std::nullopt;
    }
    const std::lock_guard lock(mutex_);
    state = state_;
    for (;;) {
      if (state.waiting == 0) {
        if (state_.compare_exchange_weak(state, {state.running - 1, 0})) return std::nullopt;
      } else if (state_.compare_exchange_weak(state, {state.running, state.waiting - 1})) {
        std::optional<Job> next(std::move(jobs_.front()));
        jobs_.pop_front();
        return next;
      }
    }
  }

 private:
  struct alignas(8) State {
    std::uint32_t running;
    std::uint32_t waiting;  // more than 0 only while running is limit_
  };

  const std::uint32_t limit_;
  std::atomic<State> state_{State{0, 0}};
  std::mutex mutex_;  // guards jobs_
  std::deque<Job> jobs_;
};

}  // namespace plash::server
