// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/directory_reads.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <initializer_list>

#include "ldso-hooks/loader/filter.h"
#include "ldso-hooks/loader/filter_program.h"
#include "protocol/packet.h"
#include "protocol/system_call.h"

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
    for (const int number : {__NR_read, __NR_readv, __NR_pread64, __NR_preadv, __NR_preadv2}) {
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

bool is_directory(int descriptor) noexcept {
  int value = 0;
  socklen_t size = sizeof value;
  return system_call(__NR_getsockopt, descriptor, SOL_SOCKET, SO_RCVLOWAT, as_argument(&value),
                     as_argument(&size)) == 0 &&
         value == directory_object_tag;
}

void watch_reads(int descriptor, unsigned long flags) noexcept {
  if ((flags & (O_ACCMODE | O_DIRECTORY | O_PATH)) != O_RDONLY || !is_directory(descriptor)) return;
  if (system_call(probe_number, probe_question) == -probe_answer) return;
  const sock_fprog program = read_filter.program();
  constexpr long flag = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
  // Other threads may have filters of their own, then only this one's reads trap.
  if (system_call(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flag | SECCOMP_FILTER_FLAG_TSYNC,
                  as_argument(&program)) != 0) {
    system_call(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flag, as_argument(&program));
  }
}

void emulate_read(Trap &trap) noexcept {
  if (is_directory(static_cast<int>(trap.argument(0)))) return trap.answer(-EISDIR);
  trap.call_natively();
}

}  // namespace plash::loader
