// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A request that arrived whole.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tools/server/budget.h"
#include "tools/support/unique_fd.h"

namespace plash::server {

// Where a reply goes: to a socket that was made for it, or over the session that the request came
// over.
struct ReplyTo {
  UniqueFd own;
  std::shared_ptr<const UniqueFd> session;
  std::uint32_t sequence = 0;

  bool is_kept() const { return session != nullptr; }
  int socket() const { return is_kept() ? session->get() : own.get(); }
};

struct Message {
  std::uint32_t code = 0;
  ReplyTo reply_to;
  const char *payload = nullptr;  // in the receiver's buffer, or in storage
  std::uint64_t size = 0;
  std::vector<UniqueFd> descriptors;
  std::vector<char> storage;

  // Its sandbox's, which it counts against until it is answered.
  Share call;
  Share bytes;
  Share descriptors_share;

  // Takes the payload out of the receiver's buffer. Throws std::bad_alloc.
  void keep() {
    if (!storage.empty() || size == 0) return;
    storage.assign(payload, payload + size);
    payload = storage.data();
  }
};

}  // namespace plash::server
