// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Access to the program's memory through pointers that may be bad: the kernel would answer EFAULT,
// so must we. To be used in the SIGSYS handler alone, where all signals are blocked: the check is
// rt_sigprocmask(2) reading or writing a signal set at the address, which changes nothing then.
// Another thread that unmaps the memory meanwhile gets the fault that it asked for.
// Async-signal-safe.
#pragma once

namespace plash::loader {

// Whether size bytes at address can be read.
bool readable(const void *address, unsigned long size) noexcept;

// Whether the NUL-terminated string at address can be read, as far as limit bytes.
bool string_readable(const char *address, unsigned long limit) noexcept;

// Whether size bytes at address, 8 at least, can be written; the first and last 8 are overwritten.
bool writable(void *address, unsigned long size) noexcept;

// Copies a T from or to the program. False: EFAULT.
template <class T>
bool copy_in(T &value, const void *address) noexcept {
  if (!readable(address, sizeof value)) return false;
  __builtin_memcpy(&value, address, sizeof value);
  return true;
}

template <class T>
bool copy_out(void *address, const T &value) noexcept {
  static_assert(sizeof value >= 8);
  if (!writable(address, sizeof value)) return false;
  __builtin_memcpy(address, &value, sizeof value);
  return true;
}

}  // namespace plash::loader
