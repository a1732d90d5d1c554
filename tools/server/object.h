// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Objects, and the table in which they are found by their sockets' cookies.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "protocol/methods.h"
#include "tools/server/directory.h"
#include "tools/server/listing.h"
#include "tools/server/sandbox.h"
#include "tools/support/unique_fd.h"

namespace plash::server {

struct Object : std::enable_shared_from_this<Object> {
  ObjectType type = ObjectType::FsOp;
  std::shared_ptr<Sandbox> sandbox;
  Share counted;                    // in sandbox's budget of objects
  UniqueFd socket;                  // the server's end
  std::uint64_t event_key = 0;      // cookie of the server's end: names the object in epoll
  std::uint64_t client_cookie = 0;  // of the client's end: how it is recognised when it comes back
  Directory directory;              // FsOp: the root; Directory: the directory
  std::mutex mutex;                 // guards listing
  std::unique_ptr<Listing> listing;
};

// Makes an object and the client's end of it. opened: of a directory object, the opened_ flags of
// protocol/packet.h. 0 or -errno: EMFILE where sandbox has as many as it may.
int make_object_pair(ObjectType type, const std::shared_ptr<Sandbox> &sandbox,
                     const Directory &directory, std::shared_ptr<Object> &object, UniqueFd &client,
                     int opened = 0);

// All live objects. Thread-safe; readers of different objects seldom meet on a lock.
class ObjectTable {
 public:
  void insert(const std::shared_ptr<Object> &object);
  void remove(const Object &object);
  // By the server's end, as epoll reports it; null where it is gone.
  std::shared_ptr<Object> find_by_event(std::uint64_t event_key) const;
  // By the client's end, as it comes back in a message; null for anything else.
  std::shared_ptr<Object> find_by_client(std::uint64_t cookie) const;

 private:
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::uint64_t, std::shared_ptr<Object>> objects;
  };
  static constexpr std::size_t shard_count = 64;
  using Shards = std::array<Shard, shard_count>;
  static std::shared_ptr<Object> find(const Shards &shards, std::uint64_t key);

  Shards by_event_;
  Shards by_client_;
};

}  // namespace plash::server
