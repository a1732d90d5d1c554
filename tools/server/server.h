// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The file server: worker threads that answer the methods of protocol/methods.def on the objects
// that they own.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tools/server/namespace.h"
#include "tools/support/unique_fd.h"

namespace plash::server {

// What a server may use, for all of its clients together.
struct Limits {
  unsigned max_threads = 64;        // worker threads, those blocked in slow files included
  unsigned max_objects = 100'000;   // live objects; EMFILE beyond
  unsigned max_assemblies = 1'024;  // large requests under way; the oldest is dropped beyond
  std::size_t max_assembly_bytes =
      256u << 20;  // memory for large requests and replies under way; as above
  unsigned max_assembly_descriptors = 4'096;  // held by large requests under way
  unsigned assembly_timeout_seconds = 10;     // for a large request to arrive whole
  unsigned max_blocked_calls =
      256;  // calls that wait for somebody else (FIFO, connect, flock); EAGAIN beyond
};

struct Options {
  Limits limits;
  // Called for each finished call with one line of text without newline, from any worker thread;
  // empty: no log.
  std::function<void(const std::string &line)> log;
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
  // caller's. Call after every fork, and after RLIMIT_NOFILE was raised. Throws std::system_error.
  void start();

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace plash::server
