// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Requests and replies of several packets.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "tools/server/conversation.h"
#include "tools/server/transport.h"

namespace plash::server {

// A request that arrived whole.
struct Message {
  std::uint32_t code = 0;
  UniqueFd reply_socket;
  const char *payload = nullptr;
  std::uint64_t size = 0;
  std::vector<UniqueFd> descriptors;
};

// A request of which the first packet has come; the others follow over the reply socket.
class LargeRequest : public Conversation {
 public:
  // may_grow says whether the server has room for so many bytes more.
  LargeRequest(UniqueFd reply_socket, Packet first, Clock::time_point deadline,
               std::function<bool(std::size_t)> may_grow, std::function<void(Message)> complete);

  std::uint32_t events() const override;
  State on_event() override;
  State on_tick(Clock::time_point now) override;
  void abandon() override { deadline_ = Clock::time_point::min(); }
  std::size_t bytes() const override { return held_; }

 private:
  bool take(Packet &packet);

  PacketHeader header_;
  std::string payload_;
  std::vector<UniqueFd> descriptors_;
  std::atomic<std::size_t> held_{0};
  std::atomic<Clock::time_point> deadline_;
  std::function<bool(std::size_t)> may_grow_;
  std::function<void(Message)> complete_;
};

// A reply that the caller's queue had no room for.
class LargeReply : public Conversation {
 public:
  LargeReply(UniqueFd reply_socket, Sending sending, Clock::time_point deadline)
      : Conversation(std::move(reply_socket)), sending_(std::move(sending)), deadline_(deadline) {}

  std::uint32_t events() const override;
  State on_event() override;
  State on_tick(Clock::time_point now) override;
  void abandon() override { deadline_ = Clock::time_point::min(); }
  std::size_t bytes() const override { return sending_.bytes(); }

 private:
  Sending sending_;
  std::atomic<Clock::time_point> deadline_;
};

}  // namespace plash::server
