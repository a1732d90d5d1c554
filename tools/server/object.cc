// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/object.h"

#include <sys/socket.h>

#include <cerrno>

#include "protocol/packet.h"
#include "tools/server/death_watch.h"
#include "tools/server/transport.h"

namespace plash::server {

int make_object_pair(ObjectType type, const std::shared_ptr<Sandbox> &sandbox,
                     const Directory &directory, std::shared_ptr<Object> &object, UniqueFd &client,
                     int opened) {
  object = std::make_shared<Object>();
  object->sandbox = sandbox;
  object->counted = Share(sandbox->budgets.objects);
  if (!object->counted.grow(1)) return sandbox->budgets.objects.has_room(1) ? -ENFILE : -EMFILE;
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    return errno == EMFILE ? -ENFILE : -errno;
  client.reset(pair[0]);
  object->socket.reset(pair[1]);
  note_argument(pair[1], false);
  object->type = type;
  object->directory = directory;
  object->event_key = socket_cookie(pair[1]);
  object->client_cookie = socket_cookie(pair[0]);
  // Nothing is ever sent to a holder: it reads end of file.
  ::shutdown(pair[1], SHUT_WR);
  const int tag = directory_object_tag + opened;
  if (type == ObjectType::Directory &&
      ::setsockopt(pair[0], SOL_SOCKET, SO_RCVLOWAT, &tag, sizeof tag) != 0) {
    return -errno;
  }
  return 0;
}

std::shared_ptr<Object> ObjectTable::find(const Shards &shards, std::uint64_t key) {
  const Shard &shard = shards[key % shard_count];
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.objects.find(key);
  return found == shard.objects.end() ? nullptr : found->second;
}

void ObjectTable::insert(const std::shared_ptr<Object> &object) {
  {
    Shard &shard = by_client_[object->client_cookie % shard_count];
    const std::lock_guard lock(shard.mutex);
    shard.objects.emplace(object->client_cookie, object);
  }
  Shard &shard = by_event_[object->event_key % shard_count];
  const std::lock_guard lock(shard.mutex);
  shard.objects.emplace(object->event_key, object);
}

void ObjectTable::remove(const Object &object) {
  {
    Shard &shard = by_client_[object.client_cookie % shard_count];
    const std::lock_guard lock(shard.mutex);
    shard.objects.erase(object.client_cookie);
  }
  std::shared_ptr<Object> last;  // destroyed after the lock is released
  Shard &shard = by_event_[object.event_key % shard_count];
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.objects.find(object.event_key);
  if (found == shard.objects.end()) return;
  last = std::move(found->second);
  shard.objects.erase(found);
}

std::shared_ptr<Object> ObjectTable::find_by_event(std::uint64_t event_key) const {
  return find(by_event_, event_key);
}

std::shared_ptr<Object> ObjectTable::find_by_client(std::uint64_t cookie) const {
  return find(by_client_, cookie);
}

}  // namespace plash::server
