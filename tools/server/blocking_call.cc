// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/blocking_call.h"

#include <sys/epoll.h>

#include <cerrno>
#include <csignal>
#include <exception>

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

void BlockingCall::start(Threads &threads) {
  threads.spawn([self = shared_from_this()] { self->run(); });
}

Outcome BlockingCall::work() const noexcept {
  Outcome outcome;
  try {
    do {
      outcome = later_.work();
      // Only the caller's cancellation ends it; a signal of another origin does not.
    } while (outcome.error == -EINTR && !cancelled_);
  } catch (const std::exception &) {
    outcome.error = -ENOMEM;
  }
  return outcome;
}

void BlockingCall::run() {
  {
    const std::lock_guard lock(mutex_);
    thread_ = ::pthread_self();
    running_ = true;
  }
  sigset_t interrupts;
  ::sigemptyset(&interrupts);
  ::sigaddset(&interrupts, interrupt_signal());
  ::pthread_sigmask(SIG_UNBLOCK, &interrupts, nullptr);
  Outcome outcome = work();
  {
    // And with it what the call held: who has the answer must not find the server in the FIFO.
    const std::lock_guard lock(mutex_);
    running_ = false;
    later_ = {};
  }
  try {
    finish_(*this, std::move(outcome));
  } catch (const std::exception &) {
    // No memory for a reply: the caller sees end of file.
  }
}

std::uint32_t BlockingCall::events() const {
  return cancelled_ ? 0 : static_cast<std::uint32_t>(EPOLLIN);
}

BlockingCall::State BlockingCall::on_event() {
  Packet packet;
  const Received received = Receiver::of_thread().receive(reply_socket_.get(), packet);
  if (received == Received::nothing) return State::goes_on;
  // Anything else than Cncl: the caller has gone away, or lost its senses.
  if (received != Received::packet || packet.header.code != code_cancel) wanted_ = false;
  cancelled_ = true;
  on_tick({});
  return State::goes_on;
}

BlockingCall::State BlockingCall::on_tick(Clock::time_point) {
  const std::lock_guard lock(mutex_);
  // The signal may come just before the system call is made: again at each tick, until it has
  // worked.
  if (running_ && (cancelled_ || (later_.has_happened && later_.has_happened())))
    ::pthread_kill(thread_, interrupt_signal());
  return State::goes_on;
}

}  // namespace plash::server
