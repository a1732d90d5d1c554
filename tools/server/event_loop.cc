// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace plash::server {
namespace {

constexpr std::uint64_t stop_key = 0;
constexpr int idle_milliseconds = 10'000;

int control(int epoll, int operation, int fd, std::uint32_t events, std::uint64_t key) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = key;
  return ::epoll_ctl(epoll, operation, fd, &event) == 0 ? 0 : -errno;
}

}  // namespace

EventLoop::EventLoop(Budget &threads)
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      workers_(threads) {
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
  workers_.start([this] { return turn(); });
}

void EventLoop::stop() {
  // Level-triggered and never read: every worker sees it.
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof one);
  workers_.wait();
}

Workers::Turn EventLoop::turn() {
  epoll_event event{};
  const int count = ::epoll_wait(epoll_.get(), &event, 1, idle_milliseconds);
  if (count == 0) return Workers::Turn::idle;
  if (count < 0) return errno == EINTR ? Workers::Turn::worked : Workers::Turn::over;
  if (event.data.u64 == stop_key) return Workers::Turn::over;
  handler_(event.data.u64, event.events);
  return Workers::Turn::worked;
}

}  // namespace plash::server
