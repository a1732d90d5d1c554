// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A call that may take long, on a thread of its own. The caller can cancel it, and cancels it by
// going away.
#pragma once

#include <pthread.h>

#include <atomic>
#include <functional>

#include "tools/server/conversation.h"
#include "tools/server/handlers.h"
#include "tools/server/transport.h"

namespace plash::server {

// Lets a signal of the server's own interrupt system calls. To be called once, before there are
// blocking calls.
void prepare_interrupts();

class BlockingCall : public Conversation, public std::enable_shared_from_this<BlockingCall> {
 public:
  // reply sends the answer over the reply socket.
  BlockingCall(UniqueFd reply_socket, std::function<Outcome()> work,
               std::function<void(int reply_socket, Outcome)> reply)
      : Conversation(std::move(reply_socket)), work_(std::move(work)), reply_(std::move(reply)) {}

  // Starts the thread. Throws std::system_error.
  void start();

  std::uint32_t events() const override;
  State on_event() override;
  State on_tick(Clock::time_point now) override;
  void abandon() override { cancelled_ = true; }
  std::size_t bytes() const override { return 0; }

 private:
  void run();
  void interrupt();

  std::function<Outcome()> work_;
  std::function<void(int, Outcome)> reply_;
  std::atomic<bool> cancelled_{false};
  std::mutex mutex_;  // guards thread_ and running_
  pthread_t thread_{};
  bool running_ = false;
  std::atomic<bool> finished_{false};
};

}  // namespace plash::server
