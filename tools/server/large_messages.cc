// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/large_messages.h"

#include <fcntl.h>
#include <sys/epoll.h>

#include <iterator>

namespace plash::server {

LargeRequest::LargeRequest(UniqueFd reply_socket, Packet first, Clock::time_point deadline,
                           std::function<bool(std::size_t)> may_grow,
                           std::function<void(Message)> complete)
    : Conversation(std::move(reply_socket)),
      header_(first.header),
      payload_(first.payload, first.header.size),
      descriptors_(std::move(first.descriptors)),
      held_(payload_.size()),
      deadline_(deadline),
      may_grow_(std::move(may_grow)),
      complete_(std::move(complete)) {}

std::uint32_t LargeRequest::events() const { return EPOLLIN; }

bool LargeRequest::take(Packet &packet) {
  const PacketHeader &next = packet.header;
  if (next.code != header_.code || next.total_size != header_.total_size ||
      next.descriptor_total != header_.descriptor_total || next.offset != payload_.size() ||
      next.descriptor_offset != descriptors_.size() ||
      next.descriptor_count != packet.descriptors.size() ||
      (next.size == 0 && next.descriptor_count == 0) ||
      next.size > header_.total_size - payload_.size() ||
      next.descriptor_count > header_.descriptor_total - descriptors_.size() ||
      !may_grow_(next.size)) {
    return false;
  }
  payload_.append(packet.payload, next.size);
  std::move(packet.descriptors.begin(), packet.descriptors.end(), std::back_inserter(descriptors_));
  held_ = payload_.size();
  return true;
}

Conversation::State LargeRequest::on_event() {
  thread_local Receiver receiver;
  for (;;) {
    Packet packet;
    switch (receiver.receive(reply_socket_.get(), packet)) {
      case Received::nothing:
        return State::goes_on;
      case Received::closed:
      case Received::malformed:
        return State::ended;
      case Received::packet:
        break;
    }
    if (!take(packet)) return State::ended;
    if (payload_.size() != header_.total_size || descriptors_.size() != header_.descriptor_total)
      continue;
    Message message;
    message.code = header_.code;
    message.reply_socket.reset(::fcntl(reply_socket_.get(), F_DUPFD_CLOEXEC, 0));
    message.payload = payload_.data();
    message.size = payload_.size();
    message.descriptors = std::move(descriptors_);
    if (message.reply_socket) complete_(std::move(message));
    return State::ended;
  }
}

Conversation::State LargeRequest::on_tick(Clock::time_point now) {
  return now >= deadline_.load() ? State::ended : State::goes_on;
}

std::uint32_t LargeReply::events() const { return EPOLLOUT; }

Conversation::State LargeReply::on_event() {
  return sending_.send(reply_socket_.get()) == Sending::Progress::blocked ? State::goes_on
                                                                          : State::ended;
}

Conversation::State LargeReply::on_tick(Clock::time_point now) {
  return now >= deadline_.load() ? State::ended : State::goes_on;
}

}  // namespace plash::server
