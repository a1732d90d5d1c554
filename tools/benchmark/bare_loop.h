// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the call is measured against: the same five system calls and nothing else, to a process that
// answers with the least that it can.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <vector>

#include "tools/support/unique_fd.h"

namespace plash::benchmark {

// A child process that receives a descriptor, sends a byte to it and closes it, until the socket is
// closed.
class BareServer {
 public:
  // So many processes wait at the socket.
  explicit BareServer(unsigned processes = 1);
  ~BareServer();
  BareServer(const BareServer &) = delete;
  BareServer &operator=(const BareServer &) = delete;
  int socket() const { return socket_.get(); }

 private:
  UniqueFd socket_;
  std::vector<pid_t> processes_;
};

// socketpair, sendmsg, close, recvmsg, close.
void bare_call(int socket);

}  // namespace plash::benchmark
