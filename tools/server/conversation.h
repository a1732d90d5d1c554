// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is still going on over a reply socket after a worker has turned to other things: a large
// request that arrives, a large reply that leaves, a call that takes long.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "tools/server/event_loop.h"
#include "tools/support/unique_fd.h"

namespace plash::server {

using Clock = std::chrono::steady_clock;

class ConversationTable;
struct Sandbox;

class Conversation {
 public:
  enum class State { goes_on, ended };
  enum class Kind : std::uint8_t { large_request, large_reply, blocking_call };

  Conversation(Kind kind, std::shared_ptr<Sandbox> sandbox, UniqueFd reply_socket)
      : reply_socket_(std::move(reply_socket)), kind_(kind), sandbox_(std::move(sandbox)) {}
  virtual ~Conversation() = default;
  Conversation(const Conversation &) = delete;
  Conversation &operator=(const Conversation &) = delete;

  // The epoll events it waits for; 0 for none any more.
  virtual std::uint32_t events() const = 0;
  // One of them came. Never called twice at a time, nor together with on_tick().
  virtual State on_event() = 0;
  // Called a few times a second.
  virtual State on_tick(Clock::time_point now) = 0;
  // The server stops: whatever it waits for is not to be waited for; it ends at one of the next
  // ticks.
  virtual void abandon() = 0;

  int reply_socket() const { return reply_socket_.get(); }
  Kind kind() const { return kind_; }
  const std::shared_ptr<Sandbox> &sandbox() const { return sandbox_; }

 protected:
  UniqueFd reply_socket_;

 private:
  friend ConversationTable;
  const Kind kind_;
  const std::shared_ptr<Sandbox> sandbox_;  // outlives the shares in it
  std::uint64_t key_ = 0;
};

// All conversations, each under a key that epoll reports. Thread-safe.
class ConversationTable {
 public:
  explicit ConversationTable(EventLoop &loop) : loop_(loop) {}

  // Starts to watch it. False where epoll takes no more. Where there are as many messages of its
  // kind as there may be, of its sandbox or in all, the oldest makes room.
  bool add(const std::shared_ptr<Conversation> &conversation, std::size_t max);
  // It has ended by itself.
  void remove(const Conversation &conversation) { remove(conversation.key_); }
  // Drops the oldest large request or reply other than spared, of sandbox, or where that is null of
  // the one that has the most of them. False where there is none.
  bool drop_oldest(const Conversation *spared, const Sandbox *sandbox);

  // Key of events that belong to conversations, not to objects.
  static bool is_key(std::uint64_t key) { return (key & key_bit) != 0; }
  void on_event(std::uint64_t key);

  // Calls on_tick() of each for as long as there are any; returns after stop().
  void tick_until_stopped();
  // Abandons all; returns when none is left. They must still be ticking.
  void stop();

 private:
  static constexpr std::uint64_t key_bit = std::uint64_t{1} << 63;
  struct Entry {
    std::shared_ptr<Conversation> conversation;
    std::shared_ptr<std::mutex> busy = std::make_shared<std::mutex>();
  };
  using Entries = std::map<std::uint64_t, Entry>;  // the oldest first

  void remove(std::uint64_t key);
  void tick();
  // The caller holds the mutex, in both. make_room: adds to surplus what has to go before
  // conversation is added.
  void make_room(const Conversation &conversation, std::size_t max,
                 std::vector<std::uint64_t> &surplus) const;
  Entries::const_iterator oldest(const Conversation *spared, const Sandbox *sandbox,
                                 std::optional<Conversation::Kind> kind) const;

  EventLoop &loop_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::uint64_t next_key_ = key_bit;
  Entries entries_;
};

}  // namespace plash::server
