// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Requests and replies of several packets.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "tools/server/budget.h"
#include "tools/server/conversation.h"
#include "tools/server/message.h"
#include "tools/server/transport.h"

namespace plash::server {

// A request of which the first packet has come; the others follow over the reply socket.
class LargeRequest : public Conversation {
 public:
  // What it takes while it arrives. more() is asked when a share cannot grow: whether room was made
  // and it is worth another try.
  struct Room {
    Share call;
    Share bytes;
    Share descriptors;
    std::function<bool(const Conversation *, const Budget &, std::size_t)> more;
  };

  LargeRequest(std::shared_ptr<Sandbox> sandbox, UniqueFd reply_socket, const PacketHeader &header,
               Room room, Clock::time_point deadline, std::function<void(Message)> complete);

  // The packets in order. False where one is out of order, or finds no room.
  bool take(Packet &packet);

  std::uint32_t events() const override;
  State on_event() override;
  State on_tick(Clock::time_point now) override;
  void abandon() override { deadline_ = Clock::time_point::min(); }

 private:
  bool grow(Share &share, const Budget &budget, std::size_t amount);

  PacketHeader header_;
  std::vector<char> payload_;
  std::vector<UniqueFd> descriptors_;
  Room room_;
  std::atomic<Clock::time_point> deadline_;
  std::function<void(Message)> complete_;
};

// A reply that the caller's queue had no room for.
class LargeReply : public Conversation {
 public:
  // patience: how long it waits for the caller to read on.
  LargeReply(std::shared_ptr<Sandbox> sandbox, UniqueFd reply_socket, Sending sending, Share call,
             Share bytes, Clock::duration patience)
      : Conversation(Kind::large_reply, std::move(sandbox), std::move(reply_socket)),
        sending_(std::move(sending)),
        call_(std::move(call)),
        bytes_(std::move(bytes)),
        patience_(patience),
        deadline_(Clock::now() + patience) {}

  std::uint32_t events() const override;
  State on_event() override;
  State on_tick(Clock::time_point now) override;
  void abandon() override { abandoned_ = true; }

 private:
  Sending sending_;
  Share call_;
  Share bytes_;
  const Clock::duration patience_;
  Clock::time_point deadline_;
  std::atomic<bool> abandoned_{false};
};

}  // namespace plash::server
