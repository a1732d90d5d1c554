// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a fuzzed server serves: a scratch directory with a file of each kind, and descriptors of
// each kind for clients to send.
#pragma once

#include <memory>
#include <string>

#include "tools/server/namespace.h"
#include "tools/support/unique_fd.h"

namespace plash::fuzz {

// Removed at the end. Throws std::system_error.
class World {
 public:
  World();
  ~World();
  World(const World &) = delete;
  World &operator=(const World &) = delete;

  // The scratch directory as it was at first.
  void restore();
  // /w writable, /r read-only, /s with socket rights alone, a fabricated /f/link.
  std::shared_ptr<server::Namespace> make_namespace() const;
  // A new descriptor of one of a few kinds: files, sockets, pipes, an inotify instance.
  UniqueFd make_descriptor(unsigned kind) const;

 private:
  std::string directory_;
};

// How many descriptors the process has open.
int open_descriptors();

}  // namespace plash::fuzz
