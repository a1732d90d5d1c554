// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/closer.h"

#include <linux/magic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <chrono>
#include <exception>

namespace plash::server {
namespace {

constexpr auto idle_time = std::chrono::seconds(10);  // after which a thread ends
constexpr unsigned long xfs_magic = 0x58465342;       // not in linux/magic.h

// File systems whose close(2) has nobody to wait for.
bool is_local(unsigned long type) {
  switch (type) {
    case EXT4_SUPER_MAGIC:
    case xfs_magic:
    case BTRFS_SUPER_MAGIC:
    case F2FS_SUPER_MAGIC:
    case TMPFS_MAGIC:
    case RAMFS_MAGIC:
    case OVERLAYFS_SUPER_MAGIC:
    case SQUASHFS_MAGIC:
    case PIPEFS_MAGIC:
    case ANON_INODE_FS_MAGIC:
      return true;
    default:
      return false;
  }
}

bool closes_at_once(int fd) {
  int domain = 0;
  socklen_t size = sizeof domain;
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0) return domain == AF_UNIX;
  struct stat status {};
  struct statfs system {};
  if (::fstat(fd, &status) != 0 || S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) return false;
  return ::fstatfs(fd, &system) == 0 && is_local(static_cast<unsigned long>(system.f_type));
}

}  // namespace

Closer::~Closer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  threads_.wait();
}

void Closer::close(std::vector<UniqueFd> descriptors) noexcept {
  for (UniqueFd &descriptor : descriptors) {
    if (!descriptor || closes_at_once(descriptor.get())) continue;
    try {
      enqueue(descriptor);
    } catch (const std::exception &) {
      // Closed here, then.
    }
  }
}

bool Closer::enqueue(UniqueFd &descriptor) {
  const std::lock_guard lock(mutex_);
  if (queue_.size() >= max_queue) return false;
  if (idle_ == 0 && count_ < max_threads) {
    threads_.spawn([this] { work(); });
    ++count_;
  }
  queue_.push_back(std::move(descriptor));
  changed_.notify_one();
  return true;
}

void Closer::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    const bool woken =
        changed_.wait_for(lock, idle_time, [this] { return stopping_ || !queue_.empty(); });
    --idle_;
    if (!woken || queue_.empty()) break;
    UniqueFd descriptor = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    descriptor.reset();
    lock.lock();
  }
  --count_;
}

}  // namespace plash::server
