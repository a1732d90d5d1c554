// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/socket_names.h"

#include <unistd.h>

namespace plash::server {

std::string SocketNames::make_unique() {
  const std::lock_guard lock(mutex_);
  return ".plash-" + std::to_string(::getpid()) + "-" + std::to_string(next_++);
}

void SocketNames::remember(const std::string &kernel_name, const std::string &name) {
  const std::lock_guard lock(mutex_);
  if (!names_.emplace(kernel_name, name).second) return;
  order_.push_back(kernel_name);
  size_ += name.size();
  while (order_.size() > max_names || size_ > max_size) {
    const auto oldest = names_.find(order_.front());
    size_ -= oldest->second.size();
    names_.erase(oldest);
    order_.pop_front();
  }
}

std::optional<std::string> SocketNames::find(const std::string &kernel_name) const {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(kernel_name);
  if (found == names_.end()) return std::nullopt;
  return found->second;
}

}  // namespace plash::server
