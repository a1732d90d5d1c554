// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A FUSE file system that answers when it likes: it has a file "ready", which can be opened and
// whose close is never answered, and a file "never", which not even stat(2) gets an answer about.
// What waits for it waits until it is unmounted.
#pragma once

#include <sys/types.h>

#include <string>

#include "tools/support/unique_fd.h"

namespace plash::hostile {

class StalledFiles {
 public:
  // Makes and mounts on directory, in the caller's mount namespace. It is not mounted where the
  // caller may not or there is no FUSE.
  explicit StalledFiles(std::string directory);
  // Unmounts it, which wakes whoever waits.
  ~StalledFiles();
  StalledFiles(const StalledFiles &) = delete;
  StalledFiles &operator=(const StalledFiles &) = delete;

  bool mounted() const { return static_cast<bool>(device_); }
  // "ready", open for writing.
  UniqueFd open_file() const;
  // On a process of its own: it may wait.
  void close_in_background(UniqueFd file) const;

 private:
  std::string directory_;
  UniqueFd device_;
  pid_t server_ = -1;
};

}  // namespace plash::hostile
