// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/object.h"

namespace plash::server {

std::shared_ptr<Object> ObjectTable::find(const Shards &shards, std::uint64_t key) {
  const Shard &shard = shards[key % shard_count];
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.objects.find(key);
  return found == shard.objects.end() ? nullptr : found->second;
}

bool ObjectTable::insert(const std::shared_ptr<Object> &object, unsigned max) {
  if (size_.fetch_add(1) >= max) {
    --size_;
    return false;
  }
  {
    Shard &shard = by_client_[object->client_cookie % shard_count];
    const std::lock_guard lock(shard.mutex);
    shard.objects.emplace(object->client_cookie, object);
  }
  Shard &shard = by_event_[object->event_key % shard_count];
  const std::lock_guard lock(shard.mutex);
  shard.objects.emplace(object->event_key, object);
  return true;
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
  --size_;
}

std::shared_ptr<Object> ObjectTable::find_by_event(std::uint64_t event_key) const {
  return find(by_event_, event_key);
}

std::shared_ptr<Object> ObjectTable::find_by_client(std::uint64_t cookie) const {
  return find(by_client_, cookie);
}

}  // namespace plash::server
