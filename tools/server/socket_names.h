// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The kernel knows a bound socket by the name that the server gave it; programs know it by the path
// that they gave. This table leads from the one to the other.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace plash::server {

class SocketNames {
 public:
  // A name for a socket file that no other has had, without a slash.
  std::string make_unique();
  // Remembers that kernel_name was given as name. The oldest is forgotten when there are too many.
  void remember(const std::string &kernel_name, const std::string &name);
  std::optional<std::string> find(const std::string &kernel_name) const;

 private:
  static constexpr std::size_t max_names = 65'536;
  static constexpr std::size_t max_size = 8u << 20;  // bytes of names: a client may give long ones

  mutable std::mutex mutex_;
  std::uint64_t next_ = 0;
  std::unordered_map<std::string, std::string> names_;
  std::deque<std::string> order_;
  std::size_t size_ = 0;
};

}  // namespace plash::server
