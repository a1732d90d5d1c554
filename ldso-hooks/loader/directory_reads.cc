// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/directory_reads.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <fcntl.h>

#include <initializer_list>

#include "ldso-hooks/loader/filter.h"
#include "ldso-hooks/loader/filter_program.h"
#include "protocol/system_call.h"
#include "shim/engine/location.h"

namespace plash::loader {
namespace {

constexpr unsigned probe_question = 0x72656164;
constexpr int probe_answer = 0x5a6;

struct ReadFilter {
  FilterProgram program;
  constexpr ReadFilter() {
    const unsigned probe = program.new_label();
    const unsigned read = program.new_label();
    const unsigned trap = program.new_label();
    const unsigned allow = program.new_label();
    program.load(FilterProgram::architecture);
    program.go_unless_equal(AUDIT_ARCH_X86_64, allow);  // the first filter's business
    program.load(FilterProgram::number);
    program.go_if_equal(probe_number, probe);
    for (const int number : {__NR_read, __NR_readv, __NR_pread64, __NR_preadv, __NR_preadv2,
                             __NR_write, __NR_writev, __NR_pwrite64, __NR_pwritev, __NR_pwritev2}) {
      program.go_if_equal(static_cast<unsigned>(number), read);
    }
    program.go(allow);
    program.place(probe);
    program.load(FilterProgram::low(0));
    program.go_unless_equal(probe_question, allow);
    program.give_error(probe_answer);
    program.place(read);
    program.load(FilterProgram::high(0));
    program.go_if_equal(passed_mark, allow);
    program.go_unless_in_loader(trap);
    program.place(allow);
    program.give(SECCOMP_RET_ALLOW);
    program.place(trap);
    program.give(SECCOMP_RET_TRAP | filter_mark);
    program.finish();
  }
};
constexpr Instructions<ReadFilter> read_filter;

}  // namespace

bool is_directory(int descriptor) noexcept { return engine::is_directory_object(descriptor); }

void watch_transfers(int descriptor, unsigned long flags) noexcept {
  constexpr unsigned long listing = O_DIRECTORY | O_CLOEXEC;
  if ((flags & O_ACCMODE) != O_RDONLY || (flags & listing) == listing || !is_directory(descriptor))
    return;
  if (system_call(probe_number, probe_question) == -probe_answer) return;
  const sock_fprog program = read_filter.program();
  constexpr long flag = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
  // Other threads may have filters of their own, then only this one's reads trap.
  if (system_call(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flag | SECCOMP_FILTER_FLAG_TSYNC,
                  as_argument(&program)) != 0) {
    system_call(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flag, as_argument(&program));
  }
}

void emulate_transfer(Trap &trap, bool writes) noexcept {
  const int directory = engine::open_directory(trap.argument(0));
  if (directory == 0) return trap.call_natively();
  trap.answer(directory < 0 || writes ? -EBADF : -EISDIR);
}

}  // namespace plash::loader
