// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/benchmark/ping_pong.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tools/benchmark/commands.h"

namespace plash::benchmark {
namespace {

// A message, in as many pieces as a stream gives it. False: end of file.
bool receive(int socket, std::string &message) {
  for (std::size_t got = 0; got < message.size();) {
    const ssize_t size = ::recv(socket, message.data() + got, message.size() - got, 0);
    if (size <= 0) return false;
    got += static_cast<std::size_t>(size);
  }
  return true;
}

bool send_all(int socket, const std::string &message) {
  for (std::size_t sent = 0; sent < message.size();) {
    const ssize_t size = ::send(socket, message.data() + sent, message.size() - sent, MSG_NOSIGNAL);
    if (size <= 0) return false;
    sent += static_cast<std::size_t>(size);
  }
  return true;
}

}  // namespace

PingPong::PingPong(int type, std::size_t size) : message_(size, 'x') {
  int pair[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) != 0) fail("socketpair");
  socket_.reset(pair[0]);
  process_ = ::fork();
  if (process_ == 0) {
    ::close(pair[0]);
    while (receive(pair[1], message_) && send_all(pair[1], message_)) continue;
    ::_exit(0);
  }
  ::close(pair[1]);
  if (process_ < 0) fail("fork");
}

PingPong::~PingPong() {
  socket_.reset();
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

void PingPong::round_trip() {
  if (!send_all(socket_.get(), message_)) fail("send");
  if (!receive(socket_.get(), message_)) fail("recv");
}

}  // namespace plash::benchmark
