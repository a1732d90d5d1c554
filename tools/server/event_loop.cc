// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <system_error>

namespace plash::server {
namespace {

constexpr std::uint64_t stop_key = 0;
constexpr int idle_milliseconds = 10'000;  // after which a surplus worker ends

int control(int epoll, int operation, int fd, std::uint32_t events, std::uint64_t key) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = key;
  return ::epoll_ctl(epoll, operation, fd, &event) == 0 ? 0 : -errno;
}

}  // namespace

EventLoop::EventLoop(unsigned max_threads)
    : max_threads_(max_threads),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!epoll_ || !stop_ || add(stop_.get(), EPOLLIN, stop_key) != 0)
    throw std::system_error(errno, std::generic_category(), "making an epoll instance");
}

int EventLoop::add(int fd, std::uint32_t events, std::uint64_t key) {
  return control(epoll_.get(), EPOLL_CTL_ADD, fd, events, key);
}

int EventLoop::modify(int fd, std::uint32_t events, std::uint64_t key) {
  return control(epoll_.get(), EPOLL_CTL_MOD, fd, events, key);
}

void EventLoop::start(Handler handler) {
  handler_ = std::move(handler);
  spawn_worker();
}

void EventLoop::stop() {
  // Level-triggered and never read: every worker sees it.
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof one);
  threads_.wait();
}

void EventLoop::spawn_worker() {
  ++workers_;
  ++idle_;
  try {
    threads_.spawn([this] { work(); });
  } catch (...) {
    --workers_;
    --idle_;
    throw;
  }
}

void EventLoop::leave_idle() {
  if (--idle_ > 0 || workers_ >= max_threads_) return;
  try {
    spawn_worker();
  } catch (const std::exception &) {
    // The workers that there are have to do.
  }
}

void EventLoop::work() {
  for (;;) {
    epoll_event event{};
    const int count = ::epoll_wait(epoll_.get(), &event, 1, idle_milliseconds);
    if (count < 0 && errno != EINTR) break;
    if (count == 0) {
      int idle = idle_;
      if (idle > 1 && idle_.compare_exchange_strong(idle, idle - 1)) {
        --workers_;
        return;
      }
    }
    if (count != 1) continue;
    if (event.data.u64 == stop_key) break;
    try {
      handler_(event.data.u64, event.events);
    } catch (const std::exception &) {
      // Memory or threads ran out: whoever waits sees end of file.
    }
  }
  --idle_;
  --workers_;
}

}  // namespace plash::server
