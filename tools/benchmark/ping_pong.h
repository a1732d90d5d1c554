// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A kept connection of the kernel's to a process that sends back what it gets: what a round trip
// costs without any protocol.
#pragma once

#include <sys/types.h>

#include <string>

#include "tools/support/unique_fd.h"

namespace plash::benchmark {

class PingPong {
 public:
  // type: SOCK_STREAM or SOCK_SEQPACKET. Messages are of size bytes, 1 to 200,000. Throws
  // std::system_error.
  PingPong(int type, std::size_t size);
  ~PingPong();
  PingPong(const PingPong &) = delete;
  PingPong &operator=(const PingPong &) = delete;

  // There and back. Throws std::system_error.
  void round_trip();

 private:
  std::string message_;
  UniqueFd socket_;
  pid_t process_ = -1;
};

}  // namespace plash::benchmark
