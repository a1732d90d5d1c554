// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Sessions: connections over which one client makes one call after the other, without a pair of
// sockets for each (PROTOCOL.md).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "tools/server/closer.h"
#include "tools/server/event_loop.h"
#include "tools/server/handlers.h"
#include "tools/server/transport.h"

namespace plash::server {

class Sessions {
 public:
  // The arguments outlive it.
  Sessions(const Quota &total, Services &services, Closer &closer, EventLoop &loop)
      : max_staying_(total.max_threads / 2), services_(services), closer_(closer), loop_(loop) {}
  Sessions(const Sessions &) = delete;
  Sessions &operator=(const Sessions &) = delete;

  // Makes count sessions for calls to the object, and their clients' ends. 0 or -errno: EMFILE
  // where there are too many. last_descriptor: sockets may have no higher number.
  int open(const std::shared_ptr<Object> &object, std::uint64_t count, int last_descriptor,
           std::vector<UniqueFd> &clients);

  // Key of events that belong to sessions.
  static bool is_key(std::uint64_t key) { return (key & key_bit) != 0; }
  // Carries out what has come, and stays with the session for as long as more comes at once.
  void on_event(std::uint64_t key);

  // Workers are not to stay with a session any more.
  void stop() { stopping_ = true; }

 private:
  struct Session {
    UniqueFd socket;
    std::shared_ptr<Object> object;  // holds the sandbox, whose budget counted is of
    Share counted;
    std::uint64_t key = 0;
  };
  static constexpr std::uint64_t key_bit = std::uint64_t{1} << 62;

  enum class Outcome { served, nothing, ended };

  bool add(std::shared_ptr<Session> session);
  void remove(std::uint64_t key);
  Outcome serve(const std::shared_ptr<Session> &session, bool wait);
  void carry_out(const std::shared_ptr<Session> &session, Packet packet, bool starved);
  std::shared_ptr<Session> find(std::uint64_t key);
  void refuse(Message message, int error);

  const std::size_t max_staying_;
  Services &services_;
  Closer &closer_;
  EventLoop &loop_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::size_t> staying_{0};  // workers that wait at a session
  std::mutex mutex_;                     // guards what follows
  std::uint64_t next_key_ = key_bit;
  std::unordered_map<std::uint64_t, std::shared_ptr<Session>> sessions_;
};

}  // namespace plash::server
