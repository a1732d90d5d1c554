// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A small server for Door::call: one object that knows every method of one packet, and answers each
// with values that follow from the request alone, so that the caller can tell its own reply from
// anybody else's.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "protocol/marshal.h"
#include "tools/support/unique_fd.h"

namespace plash::stress {

struct CallServer {
  UniqueFd object;  // the holder's end; close-on-exec
  pid_t process = -1;
};

// Forks the server. Throws std::system_error. It ends when the object's last holder does.
CallServer start_call_server();

// What server and caller work out a reply from: a hash of code, words and tail (FNV-1a, Fowler,
// Noll and Vo). Async-signal-safe.
class RequestHash {
 public:
  void add(const void *data, std::uint64_t size) noexcept {
    for (std::uint64_t i = 0; i < size; ++i) {
      hash_ = (hash_ ^ static_cast<const unsigned char *>(data)[i]) * 0x100000001b3;
    }
  }
  std::uint64_t value() const noexcept { return hash_; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325;
};

// The reply's field number index: a word's value, the length of bytes (0 to 63) and each of them.
constexpr std::uint64_t reply_word(std::uint64_t hash, std::uint32_t index) noexcept {
  return (hash ^ index) * 0x9e3779b97f4a7c15;
}
constexpr std::uint64_t reply_length(std::uint64_t hash, std::uint32_t index) noexcept {
  return reply_word(hash, index) >> 58;
}
constexpr char reply_byte(std::uint64_t hash, std::uint32_t index, std::uint64_t at) noexcept {
  return static_cast<char>('a' + (reply_word(hash, index) + at) % 26);
}

// One request in 16 is refused, with an error that is none of Linux's, so that it is not mistaken
// for one that is injected; methods that may take long send Wait first for one in 4.
constexpr bool is_refused(std::uint64_t hash) noexcept { return (hash >> 20) % 16 == 0; }
constexpr bool is_waiting(std::uint64_t hash) noexcept { return (hash >> 24) % 4 == 0; }
constexpr int refusal(std::uint64_t hash) noexcept { return 1000 + static_cast<int>(hash % 1000); }

// A descriptor in a reply is a pipe's reading end with these 8 bytes in it.
constexpr std::uint64_t descriptor_content(std::uint64_t hash) noexcept { return ~hash; }

}  // namespace plash::stress
