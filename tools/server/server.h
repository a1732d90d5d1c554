// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The file server: worker threads that answer the methods of protocol/methods.def on the objects
// that they own.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tools/server/namespace.h"
#include "tools/server/quota.h"
#include "tools/support/unique_fd.h"

namespace plash::server {

struct Options {
  Limits limits;
  // Called for each finished call with one line of text without newline, from any worker thread;
  // empty: no log.
  std::function<void(const std::string &line)> log;
};

// What clients make the server hold at this moment, all sandboxes together.
struct Usage {
  std::size_t objects;
  std::size_t calls;
  std::size_t blocked_calls;
  std::size_t bytes;
  std::size_t descriptors;
};

class Server {
 public:
  // Makes the epoll instance; starts no thread. Throws std::system_error.
  explicit Server(Options options = {});
  // Stops the threads and closes every object; clients see end of file.
  ~Server();
  Server(const Server &) = delete;
  Server &operator=(const Server &) = delete;

  // Makes an fs_op object over the namespace and returns the client's end (close-on-exec). The
  // namespace must not be changed afterwards. Throws std::system_error.
  UniqueFd make_fs_op(std::shared_ptr<const Namespace> name_space);

  // Resolves path (absolute) in the namespace to a directory object, for use as a client's cwd;
  // returns the client's end (close-on-exec). Throws std::system_error with the errno that chdir(2)
  // would give.
  UniqueFd make_directory(std::shared_ptr<const Namespace> name_space, const std::string &path);

  // Makes an object that answers Echo with its own arguments, for tests and measurements.
  UniqueFd make_echo();

  // Starts the first worker threads, and sets this process's umask to 0: each request brings its
  // caller's, and threads that make files get umasks of their own. Call after every fork, and after
  // RLIMIT_NOFILE was raised. Throws std::system_error.
  void start();

  Usage usage() const;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace plash::server
