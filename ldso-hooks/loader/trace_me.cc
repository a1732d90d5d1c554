// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/trace_me.h"

#include <asm/unistd_64.h>
#include <sys/ptrace.h>

#include "ldso-hooks/loader/scratch_stack.h"
#include "protocol/system_call.h"

namespace plash::loader {
namespace {

long put_off;  // a process ID: the memory is the parent's too

}  // namespace

long trace_me() noexcept {
  if (!borrows_memory()) return system_call(__NR_ptrace, PTRACE_TRACEME, 0, 0, 0);
  __atomic_store_n(&put_off, system_call(__NR_getpid), __ATOMIC_RELAXED);
  return 0;
}

void trace_me_now() noexcept {
  const long process = __atomic_load_n(&put_off, __ATOMIC_RELAXED);
  if (process == 0 || process != system_call(__NR_getpid)) return;
  __atomic_store_n(&put_off, 0, __ATOMIC_RELAXED);
  system_call(__NR_ptrace, PTRACE_TRACEME, 0, 0, 0);
}

}  // namespace plash::loader
