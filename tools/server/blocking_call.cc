// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/blocking_call.h"

#include <sys/epoll.h>

#include <cerrno>
#include <csignal>
#include <thread>

namespace plash::server {
namespace {

int interrupt_signal() { return SIGRTMIN; }
void do_nothing(int) {}

}  // namespace

void prepare_interrupts() {
  struct sigaction action {};
  action.sa_handler = do_nothing;  // without SA_RESTART: the point is EINTR
  ::sigaction(interrupt_signal(), &action, nullptr);
}

void BlockingCall::start() {
  running_ = true;
  std::thread([self = shared_from_this()] { self->run(); }).detach();
}

void BlockingCall::run() {
  {
    const std::lock_guard lock(mutex_);
    thread_ = ::pthread_self();
  }
  Outcome outcome;
  do {
    outcome = work_();
    // Only the caller's cancellation ends it; a signal of another origin does not.
  } while (outcome.error == -EINTR && !cancelled_);
  {
    const std::lock_guard lock(mutex_);
    running_ = false;
  }
  work_ = nullptr;  // and with it what the call held: who has the answer must not find the server in the FIFO
  reply_(reply_socket_.get(), std::move(outcome));
  finished_ = true;
}

void BlockingCall::interrupt() {
  const std::lock_guard lock(mutex_);
  if (running_ && thread_ != pthread_t{}) ::pthread_kill(thread_, interrupt_signal());
}

std::uint32_t BlockingCall::events() const {
  return cancelled_ ? 0 : static_cast<std::uint32_t>(EPOLLIN);
}

BlockingCall::State BlockingCall::on_event() {
  // Cncl, or anything else, or the caller's end: it does not want to wait any more.
  cancelled_ = true;
  interrupt();
  return finished_ ? State::ended : State::goes_on;
}

BlockingCall::State BlockingCall::on_tick(Clock::time_point) {
  if (finished_) return State::ended;
  // The signal may have come just before the system call was made: again, until it has worked.
  if (cancelled_) interrupt();
  return State::goes_on;
}

}  // namespace plash::server
