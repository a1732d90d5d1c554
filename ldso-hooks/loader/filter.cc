// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/filter.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "ldso-hooks/loader/conditions.h"
#include "ldso-hooks/loader/filter_program.h"
#include "ldso-hooks/loader/trap.h"
#include "ldso-hooks/loader/treatment.h"
#include "protocol/system_call.h"

namespace plash::loader {
namespace {

constexpr unsigned x32_bit = 0x40000000;
constexpr unsigned probe_question = 0x506c7368;
constexpr int probe_answer = 0x5a5;

constexpr unsigned new_namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

// What the filter does with a number.
struct Leaf {
  Treatment treatment = Treatment::denied;
  int error = ENOSYS;
  Rule rule = {};
  bool probe = false;
  constexpr bool operator==(const Leaf &) const = default;
};

constexpr Leaf leaf_of(int number) {
  if (number == probe_number) return {Treatment::denied, ENOSYS, {}, true};
  const Row row = row_of(number);
  if (rule_of(number).condition == Condition::never) return {Treatment::passed, 0};
  if (rule_of(number).condition == Condition::only) return {Treatment::local, 0, rule_of(number)};
  switch (row.treatment) {
    case Treatment::passed:
      return {Treatment::passed, 0};
    case Treatment::denied:
      return {Treatment::denied, row.error};
    default:
      return {Treatment::local, 0, rule_of(number)};
  }
}

class Writer {
 public:
  constexpr Writer() {
    trap_ = program.new_label();
    refuse_ = program.new_label();
    foreign_ = program.new_label();
    allow_ = program.new_label();
    permission_ = program.new_label();
    program.load(FilterProgram::architecture);
    program.go_unless_equal(AUDIT_ARCH_X86_64, foreign_);
    program.load(FilterProgram::number);
    program.go_if_at_least(x32_bit, foreign_);
    write_tree(0, row_count);
    for (unsigned i = 0; i < block_count_; ++i) {
      program.place(blocks_[i].label);
      write_block(blocks_[i].leaf);
    }
    write_ends();
    program.finish();
  }
  FilterProgram program;

 private:
  struct Pending {
    Leaf leaf;
    unsigned label;
  };

  // Binary search for the number among [first, end).
  constexpr void write_tree(int first, int end) {
    const Leaf leaf = leaf_of(first);
    int change = first + 1;
    while (change < end && leaf_of(change) == leaf) ++change;
    if (change == end && end < row_count) return write_leaf(leaf);
    if (change == end) {
      // The last range: numbers past the table are calls of later kernels.
      const unsigned later = program.new_label();
      program.go_if_at_least(static_cast<unsigned>(row_count), later);
      write_leaf(leaf);
      program.place(later);
      return program.give_error(ENOSYS);
    }
    int middle = (first + end) / 2;
    if (middle < change) middle = change;
    while (middle > change && leaf_of(middle) == leaf_of(middle - 1)) --middle;
    const unsigned upper = program.new_label();
    program.go_if_at_least(static_cast<unsigned>(middle), upper);
    write_tree(first, middle);
    program.place(upper);
    write_tree(middle, end);
  }

  constexpr void write_leaf(const Leaf &leaf) {
    if (leaf.treatment == Treatment::passed) return program.give(SECCOMP_RET_ALLOW);
    if (leaf.treatment == Treatment::denied && !leaf.probe)
      return program.give_error(static_cast<unsigned>(leaf.error));
    for (unsigned i = 0; i < block_count_; ++i) {
      if (blocks_[i].leaf == leaf) return program.go(blocks_[i].label);
    }
    blocks_[block_count_] = {leaf, program.new_label()};
    program.go(blocks_[block_count_++].label);
  }

  constexpr void allow_if_null(unsigned argument) {
    program.load(FilterProgram::low(argument));
    program.go_unless_equal(0, trap_);
    program.load(FilterProgram::high(argument));
    program.go_unless_equal(0, trap_);
    program.go(allow_);
  }

  constexpr void refuse_service(unsigned argument) {
    const unsigned below = program.new_label();
    program.load(FilterProgram::low(argument));
    program.go_if_at_least(last_service_descriptor + 1, below);
    program.go_if_at_least(first_service_descriptor, refuse_);
    program.place(below);
  }

  constexpr void write_block(const Leaf &leaf) {
    const Rule &rule = leaf.rule;
    if (leaf.probe) {
      const unsigned other = program.new_label();
      program.load(FilterProgram::low(0));
      program.go_unless_equal(probe_question, other);
      program.give_error(probe_answer);
      program.place(other);
      return program.give_error(ENOSYS);
    }
    switch (rule.condition) {
      case Condition::never:
        return program.go(allow_);
      case Condition::always:
        return program.go(trap_);
      case Condition::service:
        refuse_service(0);
        return program.go(allow_);
      case Condition::service_or_second:
        refuse_service(0);
        refuse_service(1);
        return program.go(allow_);
      case Condition::file_control:
        refuse_service(0);
        program.load(FilterProgram::high(0));
        program.go_if_equal(passed_mark, allow_);
        program.load(FilterProgram::low(rule.argument));
        program.go_if_equal(rule.value, trap_);
        return program.go(allow_);
      case Condition::unless_null:
        return allow_if_null(rule.argument);
      case Condition::unless_passed:
        program.load(FilterProgram::high(0));
        program.go_if_equal(passed_mark, allow_);
        return program.go(trap_);
      case Condition::unless_null_or_passed:
        program.load(FilterProgram::high(0));
        program.go_if_equal(passed_mark, allow_);
        return allow_if_null(rule.argument);
      case Condition::signal_action:
        program.load(FilterProgram::low(0));
        program.go_if_equal(SIGSYS, trap_);
        return allow_if_null(1);
      case Condition::signal_mask:
        // A wrapper in the program that has cleaned the set says so in an argument that the kernel
        // does not look at.
        program.load(FilterProgram::low(5));
        program.go_if_equal(passed_mark, allow_);
        program.load(FilterProgram::low(0));
        program.go_if_equal(SIG_UNBLOCK, allow_);
        return allow_if_null(1);
      case Condition::only:
        program.load(FilterProgram::low(rule.argument));
        program.go_unless_equal(rule.value, permission_);
        return program.go(allow_);
      case Condition::equal:
        program.load(FilterProgram::low(rule.argument));
        program.go_if_equal(rule.value, trap_);
        return program.go(allow_);
      case Condition::process_control:
        program.load(FilterProgram::low(0));
        program.go_if_equal(PR_SET_SECCOMP, trap_);
        program.go_unless_equal(PR_SET_SYSCALL_USER_DISPATCH, allow_);
        program.load(FilterProgram::low(1));
        program.go_if_equal(PR_SYS_DISPATCH_OFF, allow_);
        return program.give_error(EINVAL);
      case Condition::descriptor_limit:
        program.load(FilterProgram::low(rule.argument));
        program.go_unless_equal(RLIMIT_NOFILE, allow_);
        return allow_if_null(rule.argument + 1u);
      case Condition::new_process: {
        const unsigned borrows = program.new_label();
        const unsigned waits = program.new_label();
        program.load(FilterProgram::low(0));
        program.go_if_any_bit(new_namespaces, permission_);
        program.go_if_any_bit(CLONE_VM, borrows);
        program.go(allow_);
        program.place(borrows);
        program.go_if_any_bit(CLONE_VFORK, waits);
        program.go(allow_);
        program.place(waits);
        return allow_if_null(1);
      }
    }
  }

  constexpr void write_ends() {
    const unsigned trap_now = program.new_label();
    const unsigned refuse_now = program.new_label();
    program.place(trap_);
    program.go_unless_in_loader(trap_now);
    program.place(allow_);
    program.give(SECCOMP_RET_ALLOW);
    program.place(foreign_);
    program.place(trap_now);
    program.give(SECCOMP_RET_TRAP | filter_mark);
    program.place(refuse_);
    program.go_unless_in_loader(refuse_now);
    program.give(SECCOMP_RET_ALLOW);
    program.place(refuse_now);
    program.give_error(EBADF);
    program.place(permission_);
    program.give_error(EPERM);
  }

  Pending blocks_[48] = {};
  unsigned block_count_ = 0;
  unsigned trap_ = 0, refuse_ = 0, foreign_ = 0, allow_ = 0, permission_ = 0;
};

constexpr Instructions<Writer> instructions;

}  // namespace

bool filter_installed() noexcept {
  return system_call(probe_number, probe_question) == -probe_answer;
}

long install_filter() noexcept {
  constexpr int set_no_new_privs = 38;
  long result = system_call(__NR_prctl, set_no_new_privs, 1, 0, 0, 0);
  if (result != 0) return result;
  const sock_fprog program = instructions.program();
  return system_call(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
                     as_argument(&program));
}

}  // namespace plash::loader
