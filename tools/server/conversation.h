// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is still going on over a reply socket after a worker has turned to other things: a large
// request that arrives, a large reply that leaves, a call that takes long.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "tools/support/unique_fd.h"

namespace plash::server {

using Clock = std::chrono::steady_clock;

class Conversation {
 public:
  enum class State { goes_on, ended };

  explicit Conversation(UniqueFd reply_socket) : reply_socket_(std::move(reply_socket)) {}
  virtual ~Conversation() = default;
  Conversation(const Conversation &) = delete;
  Conversation &operator=(const Conversation &) = delete;

  // The epoll events it waits for; 0 for none any more.
  virtual std::uint32_t events() const = 0;
  // One of them came. Never called twice at a time.
  virtual State on_event() = 0;
  // Called a few times a second.
  virtual State on_tick(Clock::time_point now) = 0;
  // The server stops: whatever it waits for is not to be waited for; it ends at one of the next
  // ticks.
  virtual void abandon() = 0;
  // Memory that it holds, bytes.
  virtual std::size_t bytes() const = 0;

  int reply_socket() const { return reply_socket_.get(); }

 protected:
  UniqueFd reply_socket_;
};

// All conversations, each under a key that epoll reports. Thread-safe.
class ConversationTable {
 public:
  explicit ConversationTable(int epoll) : epoll_(epoll) {}

  // Starts to watch it. False where there are max already, or no memory for it.
  bool add(std::shared_ptr<Conversation> conversation, unsigned max);
  // Key of events that belong to conversations, not to objects.
  static bool is_key(std::uint64_t key) { return (key & key_bit) != 0; }
  void on_event(std::uint64_t key);
  void on_tick();
  void abandon_all();
  bool empty() const;
  // Memory that all of them hold.
  std::size_t bytes() const;

 private:
  static constexpr std::uint64_t key_bit = std::uint64_t{1} << 63;
  struct Entry {
    std::shared_ptr<Conversation> conversation;
    std::shared_ptr<std::mutex> busy = std::make_shared<std::mutex>();
  };
  void remove(std::uint64_t key);

  int epoll_;
  mutable std::mutex mutex_;
  std::uint64_t next_key_ = key_bit;
  std::unordered_map<std::uint64_t, Entry> entries_;
};

}  // namespace plash::server
