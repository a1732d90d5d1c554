// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/own_filter.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "ldso-hooks/loader/filter.h"
#include "ldso-hooks/loader/filter_program.h"
#include "ldso-hooks/loader/user_memory.h"
#include "ldso-hooks/loader/verdict.h"
#include "protocol/memory.h"
#include "protocol/system_call.h"

namespace plash::loader {
namespace {

struct Prefix {
  // Stands for asking_address(), which the compiler does not know.
  static constexpr unsigned asking = 0xffffffff;
  FilterProgram program;
  constexpr Prefix() {
    const unsigned outside = program.new_label();
    const unsigned other = program.new_label();
    program.load(FilterProgram::number);
    program.go_unless_equal(probe_number, other);
    program.load(FilterProgram::low(0));
    program.go_unless_equal(verdict_question, other);
    program.give_error(verdict_answer);
    program.place(other);
    program.go_unless_in_loader(outside);
    program.go_if_equal(asking, outside);
    program.give(SECCOMP_RET_ALLOW);
    program.place(outside);
    program.finish();
  }
};
constexpr Instructions<Prefix> prefix;
constexpr unsigned long prefix_count = prefix.count;

}  // namespace

long install_programs_filter(const Trap &trap) noexcept {
  const bool by_prctl = trap.number() == __NR_prctl;
  // prctl(2) has no flags; its strict mode needs no change.
  if (by_prctl && trap.argument(1) != SECCOMP_MODE_FILTER) {
    return system_call(__NR_prctl, PR_SET_SECCOMP, trap.argument(1), trap.argument(2),
                       trap.argument(3), trap.argument(4));
  }
  const long flags = by_prctl ? 0 : trap.argument(1);
  sock_fprog given;
  if (!copy_in(given, trap.pointer<sock_fprog>(2))) return -EFAULT;
  const unsigned long given_size = given.len * sizeof(sock_filter);
  // The kernel's own checks, on what it will not get to see.
  if (given.len == 0 || given.len + prefix_count > BPF_MAXINSNS) return -EINVAL;
  if (!readable(given.filter, given_size)) return -EFAULT;
  const unsigned long size = prefix_count * sizeof(sock_filter) + given_size;
  const long room = system_call(__NR_mmap, 0, static_cast<long>(size), PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room < 0 && room > -4096) return -ENOMEM;
  auto *instructions = reinterpret_cast<sock_filter *>(room);
  memcpy(instructions, prefix.list, prefix_count * sizeof(sock_filter));
  for (unsigned long i = 0; i < prefix_count; ++i) {
    if (instructions[i].k == Prefix::asking)
      instructions[i].k = static_cast<unsigned>(asking_address());
  }
  memcpy(instructions + prefix_count, given.filter, given_size);
  const sock_fprog joined{static_cast<unsigned short>(prefix_count + given.len), instructions};
  const long result =
      system_call(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, as_argument(&joined));
  system_call(__NR_munmap, room, static_cast<long>(size));
  if (result == 0) note_programs_filter();
  return result;
}

}  // namespace plash::loader
