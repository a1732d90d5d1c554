// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A second process that ends the calls of a server which was killed.
//
// A caller whose server dies sees end of file on its reply socket once the last copy of the other
// end is closed. One that a fork caught between socketpair(2) and close(2) stays open in the child,
// for as long as the child likes, and the caller would wait as long. The process here shares the
// server's descriptor table, so what the server had received is still open in it when the server is
// gone. It shuts the sockets down, which all copies feel, and ends. A program's own sockets, which
// are among them as arguments of calls, are left alone: the server notes which they are.
//
// It has a name of its own, "plash-watch", so that who kills servers by name does not kill it.
// Where both are killed at once, a caller whose reply socket a child holds waits until the child is
// gone.
#pragma once

#include <sys/types.h>

namespace plash::server {

// Notes whether the descriptor, which has just been received, is an argument of a call; reply
// sockets and the server's own are not. Nothing where there is no DeathWatch. Async-signal-safe.
void note_argument(int fd, bool is_argument) noexcept;

class DeathWatch {
 public:
  // Starts the process. To be made while there is one thread; it must live as long as the server
  // does; one at a time. Takes one descriptor. Throws std::system_error.
  DeathWatch();
  // Ends the process, without touching a socket.
  ~DeathWatch();
  DeathWatch(const DeathWatch &) = delete;
  DeathWatch &operator=(const DeathWatch &) = delete;

 private:
  pid_t process_;
};

}  // namespace plash::server
