// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The process whose system calls are visited: the visitor's own, or one that it traces.
#pragma once

#include <cstddef>

namespace plash::stress {

class Subject {
 public:
  // Makes a system call there, behind the one that is visited. Its result or -errno.
  virtual long call(long number, long first, long second, long third) const noexcept = 0;
  // Copies between here and there.
  virtual void load(void *to, const void *from, std::size_t size) const noexcept = 0;
  virtual void store(void *to, const void *from, std::size_t size) const noexcept = 0;

 protected:
  ~Subject() = default;
};

// This process itself. Async-signal-safe.
class OwnProcess final : public Subject {
 public:
  long call(long number, long first, long second, long third) const noexcept override;
  void load(void *to, const void *from, std::size_t size) const noexcept override;
  void store(void *to, const void *from, std::size_t size) const noexcept override;
};

}  // namespace plash::stress
