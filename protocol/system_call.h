// SPDX-License-Identifier: LGPL-2.1-or-later
//
// System calls without libc, as the x86-64 ABI has them (System V psABI, A.2.1). Each returns the
// result or -errno. Async-signal-safe.
#pragma once

namespace plash {

inline long system_call(long number, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0,
                        long a5 = 0, long a6 = 0) noexcept {
  long result;
  register long r10 __asm__("r10") = a4;
  register long r8 __asm__("r8") = a5;
  register long r9 __asm__("r9") = a6;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a1), "S"(a2), "d"(a3), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

template <class T>
inline long as_argument(T *pointer) noexcept {
  return reinterpret_cast<long>(pointer);
}

}  // namespace plash
