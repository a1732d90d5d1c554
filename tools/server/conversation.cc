// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/conversation.h"

#include <sys/epoll.h>

#include <vector>

namespace plash::server {

bool ConversationTable::add(std::shared_ptr<Conversation> conversation, unsigned max) {
  const std::lock_guard lock(mutex_);
  if (entries_.size() >= max) return false;
  const std::uint64_t key = next_key_++;
  epoll_event event{};
  event.events = conversation->events() | EPOLLRDHUP | EPOLLONESHOT;
  event.data.u64 = key;
  const int socket = conversation->reply_socket();
  entries_.emplace(key, Entry{std::move(conversation)});
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event) == 0) return true;
  entries_.erase(key);
  return false;
}

void ConversationTable::remove(std::uint64_t key) {
  Entry entry;  // destroyed after the lock is released
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  // The descriptor may live on in a fork of the client: closing ours is not enough to be rid of its
  // events.
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, found->second.conversation->reply_socket(), nullptr);
  entry = std::move(found->second);
  entries_.erase(found);
}

void ConversationTable::on_event(std::uint64_t key) {
  Entry entry;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) return;
    entry = found->second;
  }
  Conversation::State state;
  {
    const std::lock_guard busy(*entry.busy);
    state = entry.conversation->on_event();
  }
  if (state == Conversation::State::ended) {
    remove(key);
    return;
  }
  const std::uint32_t events = entry.conversation->events();
  if (events == 0) return;  // it has heard enough
  epoll_event event{};
  event.events = events | EPOLLRDHUP | EPOLLONESHOT;
  event.data.u64 = key;
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, entry.conversation->reply_socket(), &event);
}

void ConversationTable::on_tick() {
  std::vector<std::pair<std::uint64_t, Entry>> entries;
  {
    const std::lock_guard lock(mutex_);
    entries.assign(entries_.begin(), entries_.end());
  }
  const auto now = Clock::now();
  for (const auto &[key, entry] : entries) {
    const std::unique_lock busy(*entry.busy, std::try_to_lock);
    if (busy && entry.conversation->on_tick(now) == Conversation::State::ended) remove(key);
  }
}

void ConversationTable::abandon_all() {
  const std::lock_guard lock(mutex_);
  for (const auto &[key, entry] : entries_) entry.conversation->abandon();
}

bool ConversationTable::empty() const {
  const std::lock_guard lock(mutex_);
  return entries_.empty();
}

std::size_t ConversationTable::bytes() const {
  const std::lock_guard lock(mutex_);
  std::size_t total = 0;
  for (const auto &[key, entry] : entries_) total += entry.conversation->bytes();
  return total;
}

}  // namespace plash::server
