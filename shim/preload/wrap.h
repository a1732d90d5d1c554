// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What every wrapper is made of: how it is exported, how it calls the engine, and how the kernel's
// answer becomes a libc function's.
#pragma once

#include <errno.h>
#include <pthread.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>

#include <type_traits>

#include "protocol/system_call.h"
#include "shim/engine/engine.h"
#include "shim/preload/set_up.h"

// Defines a function under libc's symbol. In C++ it is called wrapped_NAME, so that libc's headers,
// with their own ideas of its type and its attributes, can be included.
#define PLASH_EXPORT(type, name, ...)               \
  extern "C" __attribute__((visibility("default"))) \
  type wrapped_##name(__VA_ARGS__) __asm__(#name);  \
  type wrapped_##name(__VA_ARGS__)

// A second symbol for a function exported in the same file.
#define PLASH_ALIAS(alias, name) \
  __asm__(".globl " #alias "\n\t.type " #alias ", @function\n\t.set " #alias ", " #name)

namespace plash::preload {

template <class T>
inline long to_argument(T value) noexcept {
  if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<long>(value);
  } else if constexpr (std::is_null_pointer_v<T>) {
    return 0;
  } else {
    return static_cast<long>(value);
  }
}

// The engine, set up if a constructor comes before ours. Result or -errno. Async-signal-safe.
template <class... A>
inline long call(long number, A... arguments) noexcept {
  static_assert(sizeof...(A) <= 6);
  if (!is_set_up) set_up();
  const long words[6] = {to_argument(arguments)...};
  return plash_syscall(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

// The kernel itself, for calls that may block: a cancellation point as libc's functions are, that
// is, with asynchronous cancellation during the system call. Always inlined: the frame that is
// unwound then has an unwind table.
template <class... A>
__attribute__((always_inline)) inline long cancellable_kernel_call(long number, A... arguments) {
  if (__libc_single_threaded) return system_call(number, to_argument(arguments)...);
  int type;
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
  const long result = system_call(number, to_argument(arguments)...);
  pthread_setcanceltype(type, &type);
  return result;
}

// The engine, for calls that are cancellation points. A pending request is acted on first; the call
// to the server itself is then not cancelled, since that would lose the descriptors that it
// carries. Without a server there is only the kernel's call, cancelled as libc does.
template <class... A>
__attribute__((always_inline)) inline long cancellable_call(long number, A... arguments) {
  if (__libc_single_threaded) return call(number, arguments...);
  pthread_testcancel();
  if (!is_set_up) set_up();
  if (passes_through) return cancellable_kernel_call(number, arguments...);
  return call(number, arguments...);
}

// -errno to -1 and errno; errno stays as it is where the call succeeded.
template <class T = int>
inline T to_result(long result) noexcept {
  if (result < 0) {
    errno = static_cast<int>(-result);
    result = -1;
  }
  return static_cast<T>(result);
}

inline int fail(int error) noexcept {
  errno = error;
  return -1;
}

template <class T>
inline T *fail_null(int error) noexcept {
  errno = error;
  return nullptr;
}

// libc's own function of this name, behind ours. Not async-signal-safe (dlsym(3)).
void *next_symbol(const char *name) noexcept;

template <class F>
inline F *next(const char *name) noexcept {
  return reinterpret_cast<F *>(next_symbol(name));
}

// A fortified function was called with a buffer that its caller knows to be too small, or the like:
// what libc does then. In libc, exported for callers compiled with _FORTIFY_SOURCE.
extern "C" [[noreturn]] void __chk_fail();

}  // namespace plash::preload
