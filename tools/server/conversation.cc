// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/conversation.h"

#include <sys/epoll.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "tools/server/sandbox.h"

namespace plash::server {
namespace {

constexpr auto tick_length = std::chrono::milliseconds(50);
constexpr std::uint32_t always = EPOLLRDHUP | EPOLLONESHOT;

bool may_be_dropped(const Conversation &conversation) {
  return conversation.kind() != Conversation::Kind::blocking_call;
}

}  // namespace

bool ConversationTable::add(const std::shared_ptr<Conversation> &conversation, std::size_t max) {
  std::vector<std::uint64_t> surplus;
  {
    const std::lock_guard lock(mutex_);
    if (may_be_dropped(*conversation)) make_room(*conversation, max, surplus);
    conversation->key_ = next_key_++;
    entries_.emplace(conversation->key_, Entry{conversation});
  }
  for (const std::uint64_t key : surplus) remove(key);
  changed_.notify_all();
  if (loop_.add(conversation->reply_socket(), conversation->events() | always,
                conversation->key_) == 0) {
    return true;
  }
  remove(conversation->key_);
  return false;
}

void ConversationTable::make_room(const Conversation &conversation, std::size_t max,
                                  std::vector<std::uint64_t> &surplus) const {
  const Conversation::Kind kind = conversation.kind();
  const Sandbox *sandbox = conversation.sandbox().get();
  std::size_t same_kind = 0;
  std::size_t same_sandbox = 0;
  for (const auto &[key, entry] : entries_) {
    if (entry.conversation->kind() != kind) continue;
    ++same_kind;
    if (entry.conversation->sandbox().get() == sandbox) ++same_sandbox;
  }
  Entries::const_iterator found = entries_.end();
  if (same_sandbox >= sandbox->max_assemblies) {
    found = oldest(nullptr, sandbox, kind);
  } else if (same_kind >= max) {
    found = oldest(nullptr, nullptr, kind);
  }
  if (found != entries_.end()) surplus.push_back(found->first);
}

ConversationTable::Entries::const_iterator ConversationTable::oldest(
    const Conversation *spared, const Sandbox *sandbox,
    std::optional<Conversation::Kind> kind) const {
  const auto counts = [&](const Entry &entry) {
    const Conversation &conversation = *entry.conversation;
    return &conversation != spared && may_be_dropped(conversation) &&
           (sandbox == nullptr || conversation.sandbox().get() == sandbox) &&
           (!kind || conversation.kind() == *kind);
  };
  std::unordered_map<const Sandbox *, std::size_t> per_sandbox;
  std::size_t most = 0;
  for (const auto &[key, entry] : entries_) {
    if (counts(entry)) most = std::max(most, ++per_sandbox[entry.conversation->sandbox().get()]);
  }
  return std::find_if(entries_.begin(), entries_.end(), [&](const auto &entry) {
    return counts(entry.second) && per_sandbox[entry.second.conversation->sandbox().get()] == most;
  });
}

bool ConversationTable::drop_oldest(const Conversation *spared, const Sandbox *sandbox) {
  std::uint64_t key;
  {
    const std::lock_guard lock(mutex_);
    const auto found = oldest(spared, sandbox, std::nullopt);
    if (found == entries_.end()) return false;
    key = found->first;
  }
  remove(key);
  return true;
}

void ConversationTable::remove(std::uint64_t key) {
  Entry entry;  // destroyed after the lock is released
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  // The descriptor may live on in a fork of the client: closing ours is not enough to be rid of its
  // events.
  ::epoll_ctl(loop_.epoll(), EPOLL_CTL_DEL, found->second.conversation->reply_socket(), nullptr);
  entry = std::move(found->second);
  entries_.erase(found);
  changed_.notify_all();
}

void ConversationTable::on_event(std::uint64_t key) {
  Entry entry;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) return;
    entry = found->second;
  }
  Conversation::State state = Conversation::State::ended;
  try {
    const std::lock_guard busy(*entry.busy);
    state = entry.conversation->on_event();
  } catch (...) {
    remove(key);
    throw;
  }
  if (state == Conversation::State::ended) {
    remove(key);
    return;
  }
  const std::uint32_t events = entry.conversation->events();
  if (events != 0) loop_.modify(entry.conversation->reply_socket(), events | always, key);
}

void ConversationTable::tick() {
  std::vector<std::pair<std::uint64_t, Entry>> entries;
  {
    const std::lock_guard lock(mutex_);
    entries.assign(entries_.begin(), entries_.end());
  }
  const auto now = Clock::now();
  for (const auto &[key, entry] : entries) {
    std::unique_lock busy(*entry.busy, std::try_to_lock);
    if (!busy || entry.conversation->on_tick(now) == Conversation::State::goes_on) continue;
    busy.unlock();
    remove(key);
  }
}

void ConversationTable::tick_until_stopped() {
  std::unique_lock lock(mutex_);
  while (!stopping_ || !entries_.empty()) {
    if (entries_.empty()) {
      changed_.wait(lock);
      continue;
    }
    changed_.wait_for(lock, stopping_ ? std::chrono::milliseconds(1) : tick_length);
    lock.unlock();
    try {
      tick();
    } catch (const std::exception &) {
      // No memory: at the next tick, then.
    }
    lock.lock();
  }
}

void ConversationTable::stop() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  for (const auto &[key, entry] : entries_) entry.conversation->abandon();
  changed_.notify_all();
  changed_.wait(lock, [this] { return entries_.empty(); });
}

}  // namespace plash::server
