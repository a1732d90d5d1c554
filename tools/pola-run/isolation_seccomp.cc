// SPDX-License-Identifier: LGPL-2.1-or-later
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

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
  // System calls of other interfaces (int 0x80, x32) have numbers of their own, which this table is
  // not about. They are not made: SIGSYS kills the process, unless it handles that. The loader's
  // handler says what it was, otherwise pola-run does.
  Filter() : context_(seccomp_init(SCMP_ACT_ALLOW), &seccomp_release) {
    if (!context_) fail("cannot make a system call filter", ENOMEM);
    check(seccomp_attr_set(context_.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_TRAP));
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

constexpr std::uint32_t refusal(int error) {
  return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error);
}

// libseccomp has no "greater than" on the number, and no "none of these" on an argument: a filter
// of our own, which decides on those calls alone of which only some are allowed.
class AllowLists {
 public:
  AllowLists() {
    load(offsetof(seccomp_data, nr));
    program_.push_back(BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, last_known_call, 0, 1));
    give(refusal(ENOSYS));
  }

  // Of the call, allows only those whose argument is among values.
  template <std::size_t count>
  void allow_only(int number, unsigned argument, const std::uint32_t (&values)[count], int error) {
    constexpr auto to_end = static_cast<std::uint8_t>(count + 2);
    load(offsetof(seccomp_data, nr));
    program_.push_back(
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, to_end));
    load_argument(argument);
    for (std::size_t i = 0; i < count; ++i) {
      const auto past_refusal = static_cast<std::uint8_t>(count - i);
      program_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, values[i], past_refusal, 0));
    }
    give(refusal(error));
  }

  // Of the call, where one argument has a value, allows only one value of another.
  void allow_only_with(int number, unsigned argument, std::uint32_t value, unsigned other,
                       std::uint32_t allowed, int error) {
    load(offsetof(seccomp_data, nr));
    program_.push_back(
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 5));
    load_argument(argument);
    program_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 3));
    load_argument(other);
    program_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed, 1, 0));
    give(refusal(error));
  }

  void install() {
    give(SECCOMP_RET_ALLOW);
    const sock_fprog description = {static_cast<unsigned short>(program_.size()), program_.data()};
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &description) != 0) {
      Filter::fail("cannot set up a system call filter (seccomp)", errno);
    }
  }

 private:
  void load(std::size_t offset) {
    program_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)));
  }
  // Its low half, as low_half_is().
  void load_argument(unsigned argument) {
    load(offsetof(seccomp_data, args) + argument * sizeof(std::uint64_t));
  }
  void give(std::uint32_t result) { program_.push_back(BPF_STMT(BPF_RET | BPF_K, result)); }

  std::vector<sock_filter> program_;
};

void install_allow_lists() {
  AllowLists lists;
  lists.allow_only(__NR_socket, 0, allowed_families, EAFNOSUPPORT);
  lists.allow_only(__NR_socketpair, 0, allowed_families, EAFNOSUPPORT);
  lists.allow_only_with(__NR_socket, 0, AF_NETLINK, 2, allowed_netlink_protocol, EPROTONOSUPPORT);
  lists.allow_only(__NR_personality, 0, allowed_personalities, EPERM);
  lists.install();
}

// Refuses what reaches beyond the sandbox where it has no namespaces.
void replace_namespaces(Filter &filter) {
  for (const RefusedCall &call : refused_without_namespaces) filter.refuse(call.number, call.error);
  for (const CallOnProcess &call : refused_on_others) {
    filter.refuse(call.number, EPERM, {call.argument, SCMP_CMP_NE, 0, 0});
  }
  for (const int call : {__NR_socket, __NR_socketpair}) {
    for (const std::uint32_t type : refused_types) {
      filter.refuse(call, EACCES, {1, SCMP_CMP_MASKED_EQ, 0xf, type});
    }
    for (const std::uint32_t family : refused_families) {
      filter.refuse(call, EACCES, low_half_is(0, family));
    }
  }
}

}  // namespace

void install_system_call_filter(bool without_namespaces) {
  install_allow_lists();
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
  if (without_namespaces) replace_namespaces(filter);
  filter.load();
}

}  // namespace plash::pola_run
