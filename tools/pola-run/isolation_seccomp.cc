// SPDX-License-Identifier: LGPL-2.1-or-later
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <unistd.h>

#include <cstddef>
#include <iterator>
#include <memory>

#include "tools/pola-run/error.h"
#include "tools/pola-run/isolation.h"
#include "tools/pola-run/isolation_seccomp_table.h"

namespace plash::pola_run {
namespace {

// Compares the low half of an argument: the kernel takes an int, and ignores what a program may
// have put into the upper one.
scmp_arg_cmp low_half_is(unsigned argument, std::uint32_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, 0xffffffff, value};
}

scmp_arg_cmp has_flag(unsigned argument, std::uint32_t flag) {
  return {argument, SCMP_CMP_MASKED_EQ, flag, flag};
}

class Filter {
 public:
  // System calls of other architectures (int 0x80, x32) kill the process: they have numbers of
  // their own, which this table is not about.
  Filter() : context_(seccomp_init(SCMP_ACT_ALLOW), &seccomp_release) {
    if (!context_) fail("cannot make a system call filter", ENOMEM);
    check(seccomp_attr_set(context_.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
    check(seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2));
  }

  void refuse(int number, int error) {
    check(seccomp_rule_add_exact_array(context_.get(), action(error), number, 0, nullptr));
  }

  void refuse(int number, int error, const scmp_arg_cmp &comparison) {
    check(seccomp_rule_add_exact_array(context_.get(), action(error), number, 1, &comparison));
  }

  void load() { check(seccomp_load(context_.get())); }

  [[noreturn]] static void fail(const char *what, int error_number) {
    throw Error(ExitStatus::failure, std::string("no isolation: ") + what, error_number);
  }

 private:
  static std::uint32_t action(int error) {
    return SCMP_ACT_ERRNO(static_cast<std::uint32_t>(error));
  }

  static void check(int result) {
    if (result < 0) fail("cannot set up a system call filter (seccomp)", -result);
  }

  std::unique_ptr<void, decltype(&seccomp_release)> context_;
};

// libseccomp has no "greater than" on the number, so this filter is written out.
void refuse_later_calls() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, last_known_call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog description = {std::size(program), program};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &description) != 0) {
    Filter::fail("cannot set up a system call filter (seccomp)", errno);
  }
}

}  // namespace

void install_system_call_filter() {
  refuse_later_calls();
  Filter filter;
  for (const RefusedCall &call : refused_calls) filter.refuse(call.number, call.error);
  for (const std::uint32_t request : refused_requests) {
    filter.refuse(__NR_ioctl, EPERM, low_half_is(1, request));
  }
  for (const std::uint32_t flag : refused_namespaces) {
    filter.refuse(__NR_clone, EPERM, has_flag(0, flag));
    filter.refuse(__NR_unshare, EPERM, has_flag(0, flag));
  }
  filter.refuse(__NR_unshare, EPERM, has_flag(0, CLONE_NEWTIME));  // in clone, part of the signal
  for (const int family : refused_families) {
    filter.refuse(__NR_socket, EAFNOSUPPORT, low_half_is(0, static_cast<std::uint32_t>(family)));
  }
  filter.load();
}

}  // namespace plash::pola_run
