// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/sessions.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <exception>
#include <optional>

#include "protocol/packet.h"
#include "tools/server/calls.h"
#include "tools/server/death_watch.h"
#include "tools/server/object.h"
#include "tools/server/transport.h"

namespace plash::server {
namespace {

// One worker at a time has a session, from an event to when it watches the socket anew.
constexpr std::uint32_t session_events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT;
// How long a worker waits at a session for the next call before it turns to others.
constexpr timeval stay{0, 20'000};

// The type of object that has the method; none for unknown ones.
std::optional<ObjectType> type_with_method(std::uint32_t code) {
  switch (code) {
#define PLASH_METHOD(Name, Code, Object_, Interruptible, RequestFields, ReplyFields, Text) \
  case methods::Name::code:                                                                \
    return ObjectType::Object_;
#include "protocol/methods.def"
    default:
      return {};
  }
}

int make_pair(UniqueFd &server, UniqueFd &client) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    return errno == EMFILE ? -ENFILE : -errno;
  client.reset(pair[0]);
  server.reset(pair[1]);
  note_argument(pair[1], false);
  ::setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &stay, sizeof stay);
  return ::setsockopt(pair[0], SOL_SOCKET, SO_RCVLOWAT, &session_tag, sizeof session_tag) == 0
             ? 0
             : -errno;
}

}  // namespace

int Sessions::open(const std::shared_ptr<Object> &object, std::uint64_t count, int last_descriptor,
                   std::vector<UniqueFd> &clients) {
  if (count == 0 || count > max_sessions_per_call) return -EINVAL;
  while (clients.size() < count) {
    auto session = std::make_shared<Session>();
    session->counted = Share(object->sandbox->budgets.sessions);
    if (!session->counted.grow(1)) return -EMFILE;
    UniqueFd client;
    const int error = make_pair(session->socket, client);
    if (error != 0) return error;
    if (session->socket.get() > last_descriptor) return -ENFILE;
    session->object = object;
    if (!add(std::move(session))) return -ENOMEM;
    // Should it be in vain, its end is closed at once, and that ends the session.
    clients.push_back(std::move(client));
  }
  return 0;
}

bool Sessions::add(std::shared_ptr<Session> session) {
  const int socket = session->socket.get();
  std::uint64_t key;
  {
    const std::lock_guard lock(mutex_);
    key = session->key = next_key_++;
    sessions_.emplace(key, std::move(session));
  }
  if (loop_.add(socket, session_events, key) == 0) return true;
  remove(key);
  return false;
}

void Sessions::remove(std::uint64_t key) {
  std::shared_ptr<Session> last;  // let go after the lock is released
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(key);
  if (found == sessions_.end()) return;
  last = std::move(found->second);
  sessions_.erase(found);
}

std::shared_ptr<Sessions::Session> Sessions::find(std::uint64_t key) {
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(key);
  return found == sessions_.end() ? nullptr : found->second;
}

void Sessions::on_event(std::uint64_t key) {
  const std::shared_ptr<Session> session = find(key);
  if (session == nullptr) return;
  const Workers::Busy busy(loop_.workers());
  const bool stays = staying_.fetch_add(1) < max_staying_;
  Outcome outcome;
  do {
    // Where no worker is left to wait for others, this one has to.
    const bool waits = stays && loop_.workers().has_idle() && !stopping_;
    try {
      outcome = serve(session, waits);
    } catch (const std::exception &) {
      outcome = Outcome::ended;  // no memory
    }
  } while (outcome == Outcome::served && !stopping_);
  --staying_;
  if (outcome == Outcome::ended) {
    // A call that still waits for its turn holds the socket.
    ::shutdown(session->socket.get(), SHUT_RDWR);
    remove(key);
  } else if (loop_.modify(session->socket.get(), session_events, key) != 0) {
    remove(key);
  }
}

Sessions::Outcome Sessions::serve(const std::shared_ptr<Session> &session, bool wait) {
  Packet packet;
  const Received received = Receiver::of_thread().receive(session->socket.get(), packet, wait);
  if (received == Received::nothing) return Outcome::nothing;
  const PacketHeader &header = packet.header;
  if (received == Received::closed || received == Received::malformed || header.sequence == 0 ||
      header.offset != 0 || header.descriptor_offset != 0 || header.size != header.total_size ||
      header.descriptor_count != header.descriptor_total ||
      (received == Received::packet && header.descriptor_count != packet.descriptors.size())) {
    closer_.close(std::move(packet.descriptors));
    return Outcome::ended;
  }
  carry_out(session, std::move(packet), received == Received::starved);
  return Outcome::served;
}

void Sessions::carry_out(const std::shared_ptr<Session> &session, Packet packet, bool starved) {
  const PacketHeader &header = packet.header;
  Message message;
  message.code = header.code;
  message.reply_to.session = std::shared_ptr<const UniqueFd>(session, &session->socket);
  message.reply_to.sequence = header.sequence;
  message.payload = packet.payload;
  message.size = header.size;
  message.descriptors = std::move(packet.descriptors);
  if (starved) {
    refuse(std::move(message), ENFILE);
    return;
  }
  const auto type = type_with_method(header.code);
  std::shared_ptr<Object> object;
  if (!type || *type == session->object->type) {
    object = session->object;
  } else {
    // A method of another object: that comes first among the descriptors.
    if (!message.descriptors.empty())
      object = services_.find_by_client(socket_cookie(message.descriptors.front().get()));
    if (object == nullptr) {
      closer_.close(std::move(message.descriptors));
      Calls::ask_for_pair(message.reply_to);
      return;
    }
    message.descriptors.erase(message.descriptors.begin());
  }
  message.call = Share(object->sandbox->budgets.calls);
  if (!message.call.grow(1)) {
    refuse(std::move(message), EAGAIN);
    return;
  }
  services_.admit(object, std::move(message));
}

void Sessions::refuse(Message message, int error) {
  Calls::refuse(message.reply_to, error);
  closer_.close(std::move(message.descriptors));
}

}  // namespace plash::server
