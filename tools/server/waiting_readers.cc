// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/waiting_readers.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

namespace plash::server {
namespace {

constexpr auto patience = std::chrono::seconds(2);
// A process has four sessions, and each waits for one call.
constexpr std::size_t max_readers = 64;

}  // namespace

void WaitingReaders::keep(std::shared_ptr<const UniqueFd> reader) {
  const std::lock_guard lock(mutex_);
  forget_old();
  if (entries_.size() == max_readers) entries_.pop_front();
  entries_.push_back({std::move(reader), Clock::now()});
}

void WaitingReaders::let_go(int reader) {
  const std::lock_guard lock(mutex_);
  forget_old();
  struct stat wanted {};
  if (entries_.empty() || ::fstat(reader, &wanted) != 0) return;
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry &entry) {
    struct stat status {};
    return ::fstat(entry.reader->get(), &status) == 0 && status.st_dev == wanted.st_dev &&
           status.st_ino == wanted.st_ino;
  });
  if (found != entries_.end()) entries_.erase(found);
}

// Their callers were killed before they came again.
void WaitingReaders::forget_old() {
  while (!entries_.empty() && Clock::now() - entries_.front().since > patience)
    entries_.pop_front();
}

}  // namespace plash::server
