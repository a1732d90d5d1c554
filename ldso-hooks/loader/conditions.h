// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which calls the filter can tell by their arguments to be none of the handler's business, so that
// they stay in the kernel. The treatment itself stands in shim/engine/syscalls.def; a number that
// is not mentioned here traps whenever that says EMULATED or LOCAL.
#pragma once

#include <asm/unistd_64.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/prctl.h>

#include <cstdint>

#include "ldso-hooks/loader/service_descriptors.h"

namespace plash::loader {

enum class Condition : std::uint8_t {
  always,             // trap
  never,              // stays in the kernel, though the engine emulates it in other doors
  service,            // never trap; EBADF where argument 0 is a service descriptor
  service_or_second,  // the same, also for argument 1
  unless_null,        // trap unless argument `argument` is a null pointer
  unless_passed,      // trap unless the handler has seen the call already (Trap::call_natively)
  unless_null_or_passed,
  signal_action,     // trap where SIGSYS is meant or an action is set
  signal_mask,       // trap where signals may become blocked
  process_control,   // trap for PR_SET_SECCOMP; EINVAL for PR_SET_SYSCALL_USER_DISPATCH, as kernels
                     // without it: it would send the handler's own calls to the handler
  equal,             // trap where argument `argument` is `value`
  descriptor_limit,  // trap where argument `argument` is RLIMIT_NOFILE
  new_process,   // EPERM where argument 0 asks for a new namespace; trap where the child borrows
                 // the caller's memory, which waits meanwhile, but has a stack of its own
  file_control,  // service, and trap where argument 1 is `value`
  only,          // EPERM unless argument 0 is `value`
};

struct Rule {
  Condition condition = Condition::always;
  std::uint8_t argument = 0;
  std::uint32_t value = 0;
  constexpr bool operator==(const Rule &) const = default;
};

constexpr Rule rule_of(int number) {
  switch (number) {
    case __NR_close:
    case __NR_dup:
    case __NR_ioctl:
      return {Condition::service};
    case __NR_dup2:
    case __NR_dup3:
      return {Condition::service_or_second};
    case __NR_fcntl:
      return {Condition::file_control, 1, 3 /* F_GETFL */};
    case __NR_rt_sigaction:
      return {Condition::signal_action};
    case __NR_rt_sigprocmask:
      return {Condition::signal_mask};
    case __NR_ppoll:
      return {Condition::unless_null, 3};
    case __NR_pselect6:
      return {Condition::unless_null, 5};
    case __NR_io_pgetevents:
      return {Condition::unless_null, 5};
    case __NR_epoll_pwait:
    case __NR_epoll_pwait2:
      return {Condition::unless_null, 4};
    case __NR_sendto:
      return {Condition::unless_null_or_passed, 4};
    case __NR_recvfrom:
      return {Condition::unless_null_or_passed, 4};
    case __NR_accept:
    case __NR_accept4:
      return {Condition::unless_null_or_passed, 1};
    case __NR_connect:
    case __NR_bind:
    case __NR_sendmsg:
    case __NR_recvmsg:
    case __NR_sendmmsg:
    case __NR_recvmmsg:
    case __NR_flock:
    case __NR_fsync:
    case __NR_fdatasync:
    case __NR_lseek:
      return {Condition::unless_passed};
    case __NR_read:  // directory_reads.h
    case __NR_readv:
    case __NR_pread64:
    case __NR_preadv:
    case __NR_preadv2:
      return {Condition::never};
    case __NR_seccomp:
      return {Condition::equal, 0, 1 /* SECCOMP_SET_MODE_FILTER */};
    case __NR_prctl:
      return {Condition::process_control};
    case __NR_ptrace:
      return {Condition::equal, 0, 0 /* PTRACE_TRACEME */};
    case __NR_setrlimit:
      return {Condition::descriptor_limit, 0};
    case __NR_prlimit64:
      return {Condition::descriptor_limit, 1};
    case __NR_clone:
      return {Condition::new_process};
    case __NR_unshare:
      // By that a process finds out whether it shares its memory (protocol/open_sessions.cc).
      return {Condition::only, 0, CLONE_VM};
    default:
      return {};
  }
}

// Whether the filter lets a call pass that the handler has seen (Trap::call_natively).
constexpr bool can_pass(int number) {
  const Condition condition = rule_of(number).condition;
  return condition == Condition::unless_passed || condition == Condition::unless_null_or_passed ||
         condition == Condition::never;
}

}  // namespace plash::loader
