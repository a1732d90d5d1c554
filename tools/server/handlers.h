// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One function for each method. Each returns 0 with the reply filled in, or -errno. Views and
// descriptors in a reply belong to the context, which outlives it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/methods.h"
#include "tools/server/object.h"
#include "tools/server/socket_names.h"
#include "tools/server/walk.h"

namespace plash::server {

// What a call that may take long ended with.
struct Outcome {
  int error = 0;                // -errno
  UniqueFd fd;                  // Open's file
  bool is_handed_over = false;  // see Context
  std::int64_t number = 0;      // SendTo's count
};

// A call that may take long, to be carried out on a thread of its own.
struct Later {
  // May be interrupted by a signal, and is called again if that was not the caller's wish.
  std::function<Outcome()> work;
  // Asked now and then, where there is such a thing: what work waits for may have happened without
  // waking it, so that it is to be interrupted and called again.
  std::function<bool()> has_happened;
  // A FIFO that was opened for reading, if that is what work goes on with: a writer may have gone
  // on because of it.
  std::shared_ptr<const UniqueFd> reader;
};

// What handlers need of the server.
class Services {
 public:
  virtual ~Services() = default;
  // Makes a directory object for the sandbox of asker. opened: the opened_ flags of
  // protocol/packet.h. 0, with the client's end, or -errno.
  virtual int make_directory_object(const Object &asker, const Directory &directory,
                                    UniqueFd &client, int opened) = 0;
  // Makes count sessions for calls to the object. 0, with their clients' ends, or -errno.
  virtual int open_sessions(Object &object, std::uint64_t count,
                            std::vector<UniqueFd> &clients) = 0;
  // Carries out a call of the object's sandbox when it is its turn.
  virtual void admit(const std::shared_ptr<Object> &object, Message &&message) = 0;
  virtual std::shared_ptr<Object> find_by_client(std::uint64_t cookie) const = 0;
  virtual SocketNames &socket_names() = 0;
};

struct Context {
  Services &services;
  Object &object;
  // Storage for what a reply points to.
  UniqueFd fd;
  // Of fd: the server has closed its copy before the caller can go on. That copy would count as one
  // more reader or writer of a FIFO, keep a program that was just written from being executed
  // (ETXTBSY), and put inotify's IN_CLOSE_WRITE off.
  bool is_handed_over = false;
  std::string bytes;
  std::string more_bytes;
  std::vector<UniqueFd> fds;
  std::vector<int> numbers;  // of fds
  // Set by a handler whose call may take long. Its own result does not count then.
  Later later;
};

#define PLASH_METHOD(Name, Code, ObjectType_, Interruptible, RequestFields, ReplyFields, Text) \
  int handle(Context &context, const methods::Name::Request &request, methods::Name::Reply &reply);
#include "protocol/methods.def"

}  // namespace plash::server
