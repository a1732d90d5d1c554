// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/large_messages.h"

#include <fcntl.h>
#include <sys/epoll.h>

#include <iterator>

#include "tools/server/sandbox.h"

namespace plash::server {

LargeRequest::LargeRequest(std::shared_ptr<Sandbox> sandbox, UniqueFd reply_socket,
                           const PacketHeader &header, Room room, Clock::time_point deadline,
                           std::function<void(Message)> complete)
    : Conversation(Kind::large_request, std::move(sandbox), std::move(reply_socket)),
      header_(header),
      room_(std::move(room)),
      deadline_(deadline),
      complete_(std::move(complete)) {}

std::uint32_t LargeRequest::events() const { return EPOLLIN; }

bool LargeRequest::grow(Share &share, const Budget &budget, std::size_t amount) {
  while (!share.grow(amount)) {
    if (!room_.more(this, budget, amount)) return false;
  }
  return true;
}

bool LargeRequest::take(Packet &packet) {
  const PacketHeader &next = packet.header;
  if (next.code != header_.code || next.sequence != 0 || next.total_size != header_.total_size ||
      next.descriptor_total != header_.descriptor_total || next.offset != payload_.size() ||
      next.descriptor_offset != descriptors_.size() ||
      next.descriptor_count != packet.descriptors.size() ||
      (next.size == 0 && next.descriptor_count == 0) ||
      next.size > header_.total_size - payload_.size() ||
      next.descriptor_count > header_.descriptor_total - descriptors_.size() ||
      !grow(room_.bytes, sandbox()->budgets.bytes, next.size) ||
      !grow(room_.descriptors, sandbox()->budgets.descriptors, next.descriptor_count)) {
    return false;
  }
  payload_.insert(payload_.end(), packet.payload, packet.payload + next.size);
  std::move(packet.descriptors.begin(), packet.descriptors.end(), std::back_inserter(descriptors_));
  return true;
}

Conversation::State LargeRequest::on_event() {
  Receiver &receiver = Receiver::of_thread();
  for (;;) {
    Packet packet;
    switch (receiver.receive(reply_socket_.get(), packet)) {
      case Received::nothing:
        return State::goes_on;
      case Received::closed:
      case Received::malformed:
      case Received::starved:
        return State::ended;
      case Received::packet:
        break;
    }
    if (!take(packet)) return State::ended;
    if (payload_.size() != header_.total_size || descriptors_.size() != header_.descriptor_total)
      continue;
    Message message;
    message.code = header_.code;
    message.reply_to.own.reset(::fcntl(reply_socket_.get(), F_DUPFD_CLOEXEC, 0));
    message.storage = std::move(payload_);
    message.payload = message.storage.data();
    message.size = message.storage.size();
    message.descriptors = std::move(descriptors_);
    message.call = std::move(room_.call);
    message.bytes = std::move(room_.bytes);
    message.descriptors_share = std::move(room_.descriptors);
    if (message.reply_to.own) complete_(std::move(message));
    return State::ended;
  }
}

Conversation::State LargeRequest::on_tick(Clock::time_point now) {
  return now >= deadline_.load() ? State::ended : State::goes_on;
}

std::uint32_t LargeReply::events() const { return EPOLLOUT; }

Conversation::State LargeReply::on_event() {
  const std::size_t left = sending_.bytes_left();
  const bool blocked = sending_.send(reply_socket_.get()) == Sending::Progress::blocked;
  if (sending_.bytes_left() != left) deadline_ = Clock::now() + patience_;
  return blocked ? State::goes_on : State::ended;
}

Conversation::State LargeReply::on_tick(Clock::time_point now) {
  return abandoned_ || now >= deadline_ ? State::ended : State::goes_on;
}

}  // namespace plash::server
