// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The two ways of making a system call by number.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <type_traits>

namespace plash::conformance {

class Call {
 public:
  enum class Way { libc, instruction };

  explicit constexpr Call(Way way) : way_(way) {}

  bool is_raw() const { return way_ == Way::instruction; }

  // The result; -1 and errno where the call failed, in both ways.
  template <typename... Arguments>
  long operator()(long number, Arguments... arguments) const {
    return make(number, word(arguments)...);
  }

 private:
  template <typename Argument>
  static long word(Argument argument) {
    if constexpr (std::is_pointer_v<Argument>) {
      return reinterpret_cast<long>(argument);
    } else if constexpr (std::is_null_pointer_v<Argument>) {
      return 0;
    } else {
      return static_cast<long>(argument);
    }
  }

  long make(long number, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0, long a5 = 0,
            long a6 = 0) const {
    if (way_ == Way::libc) return ::syscall(number, a1, a2, a3, a4, a5, a6);
    register long r10 asm("r10") = a4;
    register long r8 asm("r8") = a5;
    register long r9 asm("r9") = a6;
    long result;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a1), "S"(a2), "d"(a3), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    if (result < 0 && result >= -4095) {
      errno = static_cast<int>(-result);
      return -1;
    }
    return result;
  }

  Way way_;
};

}  // namespace plash::conformance
