// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The table of system calls against the kernel's headers, and the loader's filter against the
// table: it is run here by an interpreter of classic BPF.
#include <asm/unistd_64.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <regex>
#include <set>
#include <string>

// The filter is what the file keeps to itself.
#include "ldso-hooks/loader/filter.cc"  // NOLINT(bugprone-suspicious-include)
#include "tests/support/catch.h"

using namespace plash::loader;

namespace {

constexpr unsigned long outside = 0x7f0012345678;
constexpr unsigned long inside = image_start + 0x1234;

unsigned load(const seccomp_data &data, unsigned offset) {
  unsigned value;
  std::memcpy(&value, reinterpret_cast<const char *>(&data) + offset, sizeof value);
  return value;
}

unsigned run(const seccomp_data &data) {
  unsigned accumulator = 0;
  for (unsigned at = 0; at < instructions.count; ++at) {
    const sock_filter &instruction = instructions.list[at];
    const auto jump = [&](bool condition) { at += condition ? instruction.jt : instruction.jf; };
    switch (instruction.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        accumulator = load(data, instruction.k);
        break;
      case BPF_RET | BPF_K:
        return instruction.k;
      case BPF_JMP | BPF_JA:
        at += instruction.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        jump(accumulator == instruction.k);
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        jump(accumulator >= instruction.k);
        break;
      case BPF_JMP | BPF_JSET | BPF_K:
        jump((accumulator & instruction.k) != 0);
        break;
      default:
        FAIL("an instruction that the kernel's cache of allowed numbers does not follow: "
             << instruction.code);
    }
  }
  FAIL("ran off the end");
  return 0;
}

seccomp_data call(int number, unsigned long a0 = 0, unsigned long a1 = 0, unsigned long a2 = 0,
                  unsigned long a3 = 0, unsigned long a4 = 0, unsigned long a5 = 0,
                  unsigned long address = outside) {
  return {number, AUDIT_ARCH_X86_64, address, {a0, a1, a2, a3, a4, a5}};
}

constexpr unsigned allow = SECCOMP_RET_ALLOW;
constexpr unsigned trap = SECCOMP_RET_TRAP | filter_mark;
constexpr unsigned refuse(int error) { return SECCOMP_RET_ERRNO | static_cast<unsigned>(error); }

// Numbers that have a row, by the table itself.
std::set<int> rows_of_table() {
  std::set<int> numbers;
#define PLASH_SYSCALL(name, treatment) numbers.insert(__NR_##name);
#include "shim/engine/syscalls.def"
  return numbers;
}

}  // namespace

TEST_CASE("every system call of the kernel's headers has a row") {
  const std::set<int> numbers = rows_of_table();
  std::ifstream header("/usr/include/x86_64-linux-gnu/asm/unistd_64.h");
  REQUIRE(header);
  const std::regex definition("#define __NR_(\\w+) (\\d+)");
  int count = 0;
  for (std::string line; std::getline(header, line);) {
    std::smatch match;
    if (!std::regex_match(line, match, definition)) continue;
    ++count;
    INFO(match[1]);
    CHECK(numbers.contains(std::stoi(match[2])));
  }
  CHECK(count > 350);
  CHECK(*numbers.rbegin() < row_count);
}

TEST_CASE("the filter does with each number what the table says") {
  for (const int number : rows_of_table()) {
    const Row row = row_of(number);
    const Rule rule = rule_of(number);
    INFO(number);
    if (row.treatment == Treatment::passed) CHECK(run(call(number)) == allow);
    if (row.treatment == Treatment::denied) CHECK(run(call(number)) == refuse(row.error));
    if (row.treatment != Treatment::emulated && row.treatment != Treatment::local) continue;
    if (rule.condition == Condition::always || rule.condition == Condition::unless_passed) {
      CHECK(run(call(number)) == trap);
      CHECK(run(call(number, 0, 0, 0, 0, 0, 0, inside)) == allow);
      CHECK(run(call(number, 0, 0, 0, 0, 0, 0, image_limit)) == trap);
      CHECK(run(call(number, 0, 0, 0, 0, 0, 0, image_start - 1)) == trap);
      CHECK(run(call(number, 0, 0, 0, 0, 0, 0, inside | 1ul << 32)) == trap);
    }
    if (can_pass(number))
      CHECK(run(call(number, static_cast<unsigned long>(passed_mark) << 32 | 3)) == allow);
  }
}

TEST_CASE("calls that are unknown or of another interface") {
  for (const int number : {row_count, row_count + 1, 5000, 0x3fffffff})
    CHECK(run(call(number)) == refuse(ENOSYS));
  CHECK(run(call(0x40000000)) == trap);
  CHECK(run(call(0x40000000 | __NR_getpid)) == trap);
  CHECK(run(call(-1)) == trap);
  seccomp_data old = call(20);
  old.arch = AUDIT_ARCH_I386;
  CHECK(run(old) == trap);
  old.instruction_pointer = inside;
  CHECK(run(old) == trap);
}

TEST_CASE("the service descriptors") {
  for (const int number : {__NR_close, __NR_dup, __NR_ioctl, __NR_fcntl}) {
    INFO(number);
    CHECK(run(call(number, first_service_descriptor - 1)) == allow);
    CHECK(run(call(number, first_service_descriptor)) == refuse(EBADF));
    CHECK(run(call(number, last_service_descriptor)) == refuse(EBADF));
    CHECK(run(call(number, last_service_descriptor + 1)) == allow);
    CHECK(run(call(number, 0xffffffff)) == allow);
    // The kernel takes the lower half alone.
    CHECK(run(call(number, 0xabcd00000000 | cwd_descriptor)) == refuse(EBADF));
    CHECK(run(call(number, cwd_descriptor, 0, 0, 0, 0, 0, inside)) == allow);
  }
  for (const int number : {__NR_dup2, __NR_dup3}) {
    CHECK(run(call(number, 3, fs_op_descriptor)) == refuse(EBADF));
    CHECK(run(call(number, fs_op_descriptor, 3)) == refuse(EBADF));
    CHECK(run(call(number, 3, 4)) == allow);
  }
}

TEST_CASE("calls that trap by their arguments") {
  constexpr unsigned long high = 1ul << 32;
  CHECK(run(call(__NR_rt_sigprocmask, SIG_SETMASK, 0, 8)) == allow);
  CHECK(run(call(__NR_rt_sigprocmask, SIG_UNBLOCK, 8)) == allow);
  CHECK(run(call(__NR_rt_sigprocmask, SIG_BLOCK, 8)) == trap);
  CHECK(run(call(__NR_rt_sigprocmask, SIG_SETMASK, high)) == trap);
  CHECK(run(call(__NR_rt_sigprocmask, SIG_SETMASK, 8, 0, 8, 0, passed_mark)) == allow);
  CHECK(run(call(__NR_rt_sigaction, SIGUSR1, 0, 8)) == allow);
  CHECK(run(call(__NR_rt_sigaction, SIGUSR1, 8)) == trap);
  CHECK(run(call(__NR_rt_sigaction, SIGSYS, 0, 8)) == trap);
  CHECK(run(call(__NR_ppoll, 1, 1, 1, 0)) == allow);
  CHECK(run(call(__NR_ppoll, 1, 1, 1, high)) == trap);
  CHECK(run(call(__NR_pselect6, 1, 1, 1, 1, 1, 8)) == trap);
  CHECK(run(call(__NR_epoll_pwait, 1, 1, 1, 1, 0)) == allow);
  CHECK(run(call(__NR_epoll_pwait2, 1, 1, 1, 1, 8)) == trap);
  CHECK(run(call(__NR_sendto, 3, 8, 1, 0, 0, 0)) == allow);
  CHECK(run(call(__NR_sendto, 3, 8, 1, 0, 8, 16)) == trap);
  CHECK(run(call(__NR_accept, 3, 0)) == allow);
  CHECK(run(call(__NR_accept, 3, 8)) == trap);
  CHECK(run(call(__NR_prlimit64, 0, RLIMIT_NOFILE, 0, 8)) == allow);
  CHECK(run(call(__NR_prlimit64, 0, RLIMIT_NOFILE, 8, 0)) == trap);
  CHECK(run(call(__NR_prlimit64, 0, RLIMIT_CORE, 8, 0)) == allow);
  CHECK(run(call(__NR_setrlimit, RLIMIT_NOFILE, 8)) == trap);
  CHECK(run(call(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, 8)) == trap);
  CHECK(run(call(__NR_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, 8)) == allow);
  CHECK(run(call(__NR_prctl, PR_SET_SECCOMP, 2, 8)) == trap);
  CHECK(run(call(__NR_prctl, PR_SET_NAME, 8)) == allow);
  CHECK(run(call(__NR_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON)) == refuse(EINVAL));
  CHECK(run(call(__NR_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF)) == allow);
  CHECK(run(call(__NR_clone, CLONE_VM | CLONE_THREAD, 8)) == allow);
  CHECK(run(call(__NR_clone, CLONE_VM | CLONE_VFORK, 0)) == allow);
  CHECK(run(call(__NR_clone, CLONE_VM | CLONE_VFORK, 8)) == trap);
  CHECK(run(call(__NR_clone, CLONE_VM | CLONE_VFORK, 8, 0, 0, 0, 0, inside)) == allow);
  CHECK(run(call(__NR_clone, CLONE_NEWUSER | SIGCHLD)) == refuse(EPERM));
  CHECK(run(call(__NR_unshare, CLONE_VM)) == allow);
  CHECK(run(call(__NR_unshare, CLONE_VM | CLONE_NEWUSER)) == refuse(EPERM));
  CHECK(run(call(__NR_unshare, CLONE_NEWNS)) == refuse(EPERM));
  CHECK(run(call(__NR_read, 3, 8, 1)) == allow);
}

TEST_CASE("the probe") {
  CHECK(run(call(probe_number)) == refuse(ENOSYS));
  CHECK(run(call(probe_number, probe_question)) == refuse(probe_answer));
}
