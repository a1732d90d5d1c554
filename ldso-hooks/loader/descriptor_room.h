// SPDX-License-Identifier: LGPL-2.1-or-later
//
// RLIMIT_NOFILE is the program's, and may lie below the numbers of the service descriptors; serving
// a call takes descriptors that the call itself would not. So the limit is lifted where that
// matters, and only meanwhile.
#pragma once

#include <sys/resource.h>

namespace plash::loader {

// Whether the limit leaves a number for one more descriptor. Async-signal-safe.
bool has_free_descriptor() noexcept;

class DescriptorRoom {
 public:
  // Lifts the soft limit to the hard one. Async-signal-safe; other threads may open more than they
  // should meanwhile.
  DescriptorRoom() noexcept;
  ~DescriptorRoom() { restore(); }
  DescriptorRoom(const DescriptorRoom &) = delete;
  DescriptorRoom &operator=(const DescriptorRoom &) = delete;

  void restore() noexcept;
  bool lifted() const noexcept { return lifted_; }
  // The limit that the program has set.
  rlim_t limit() const noexcept { return limit_.rlim_cur; }

 private:
  rlimit limit_{};
  bool lifted_ = false;
};

}  // namespace plash::loader
