// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "protocol/system_call.h"
#include "shim/engine/engine.h"
#include "shim/engine/handlers.h"
#include "shim/engine/syscall_numbers.h"

namespace plash::engine {
namespace {

// The engine's answer, or the kernel's where the number is not emulated. One switch: no table of
// pointers that would have to be relocated.
long dispatch(long number, const Arguments &arguments) noexcept {
  switch (number) {
#define PLASH_CASE_EMULATED(name) \
  case __NR_##name:               \
    return state.broken ? -ENOSYS : emulate_##name(arguments);
#define PLASH_CASE_LOCAL(name)
#define PLASH_CASE_PASSED(name)
#define PLASH_CASE_DENIED(error) PLASH_CASE_NOTHING
#define PLASH_CASE_NOTHING(name)
#define PLASH_SYSCALL(name, treatment) PLASH_CASE_##treatment(name)
#include "shim/engine/syscalls.def"
    default:
      return call_kernel(number, arguments);
  }
}

}  // namespace

long call_kernel(long number, const Arguments &arguments) noexcept {
  return system_call(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                     arguments[5]);
}

}  // namespace plash::engine

extern "C" __attribute__((visibility("hidden"))) long plash_syscall(long number, long a1, long a2,
                                                                    long a3, long a4, long a5,
                                                                    long a6) noexcept {
  const plash::engine::Arguments arguments{{a1, a2, a3, a4, a5, a6}};
  if (!plash::engine::state.serving) return plash::engine::call_kernel(number, arguments);
  return plash::engine::dispatch(number, arguments);
}
