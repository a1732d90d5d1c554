// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A request that arrived whole.
#pragma once

#include <cstdint>
#include <vector>

#include "tools/server/budget.h"
#include "tools/support/unique_fd.h"

namespace plash::server {

struct Message {
  std::uint32_t code = 0;
  UniqueFd reply_socket;
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
