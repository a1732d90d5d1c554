// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A call that may take long, on a thread of its own. The caller can cancel it, and cancels it by
// going away.
#pragma once

#include <pthread.h>

#include <atomic>
#include <functional>
#include <mutex>

#include "tools/server/conversation.h"
#include "tools/server/handlers.h"
#include "tools/server/threads.h"
#include "tools/server/transport.h"

namespace plash::server {

// Lets a signal of the server's own, SIGRTMIN, interrupt system calls. To be called once, before
// there are blocking calls.
void prepare_interrupts();

class BlockingCall : public Conversation, public std::enable_shared_from_this<BlockingCall> {
 public:
  // finish is called once, at the end, on the call's thread.
  BlockingCall(std::shared_ptr<Sandbox> sandbox, UniqueFd reply_socket, Later later,
               std::function<void(BlockingCall &, Outcome)> finish)
      : Conversation(Kind::blocking_call, std::move(sandbox), std::move(reply_socket)),
        later_(std::move(later)),
        finish_(std::move(finish)) {}

  // Starts the thread. Throws std::system_error, std::bad_alloc.
  void start(Threads &threads);

  // The caller is still there to be answered.
  bool is_wanted() const { return wanted_; }

  std::uint32_t events() const override;
  State on_event() override;
  State on_tick(Clock::time_point now) override;
  void abandon() override { cancelled_ = true; }

 private:
  void run();
  Outcome work() const noexcept;

  Later later_;
  std::function<void(BlockingCall &, Outcome)> finish_;
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> wanted_{true};
  std::mutex mutex_;  // guards later_, thread_ and running_ while the thread works
  pthread_t thread_{};
  bool running_ = false;
};

}  // namespace plash::server
