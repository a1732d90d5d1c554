// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/dispatch.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>

#include "ldso-hooks/loader/conditions.h"
#include "ldso-hooks/loader/descriptor_calls.h"
#include "ldso-hooks/loader/descriptor_room.h"
#include "ldso-hooks/loader/directory_reads.h"
#include "ldso-hooks/loader/exec.h"
#include "ldso-hooks/loader/identity.h"
#include "ldso-hooks/loader/own_executable.h"
#include "ldso-hooks/loader/own_filter.h"
#include "ldso-hooks/loader/path_argument.h"
#include "ldso-hooks/loader/signal_calls.h"
#include "ldso-hooks/loader/socket_calls.h"
#include "ldso-hooks/loader/trace_me.h"
#include "ldso-hooks/loader/user_memory.h"
#include "protocol/system_call.h"
#include "shim/engine/engine.h"

namespace plash::loader {
namespace {

// A call sent back to the kernel that the filter did not let pass would come here for ever.
static_assert(can_pass(__NR_lseek) && can_pass(__NR_flock) && can_pass(__NR_fsync) &&
              can_pass(__NR_fdatasync) && can_pass(__NR_connect) && can_pass(__NR_bind) &&
              can_pass(__NR_sendto) && can_pass(__NR_sendmsg) && can_pass(__NR_sendmmsg) &&
              can_pass(__NR_recvfrom) && can_pass(__NR_recvmsg) && can_pass(__NR_accept) &&
              can_pass(__NR_accept4) && can_pass(__NR_read) && can_pass(__NR_readv) &&
              can_pass(__NR_pread64) && can_pass(__NR_preadv) && can_pass(__NR_preadv2));

// The descriptor's own kernel call is right unless it is a directory's: made by the program itself,
// it blocks and is interrupted as ever.
bool kernel_serves(const Trap &trap) noexcept {
  switch (trap.number()) {
    case __NR_lseek:
    case __NR_flock:
    case __NR_fsync:
    case __NR_fdatasync:
      return !is_directory(static_cast<int>(trap.argument(0)));
    case __NR_connect:
    case __NR_bind:
    case __NR_sendto:
    case __NR_sendmsg:
    case __NR_sendmmsg:
    case __NR_recvfrom:
    case __NR_recvmsg:
    case __NR_accept:
    case __NR_accept4:
      return kernel_serves_socket_call(trap);
    default:
      return false;
  }
}

unsigned long open_flags(const Trap &trap) noexcept {
  switch (trap.number()) {
    case __NR_open:
      return static_cast<unsigned long>(trap.argument(1));
    case __NR_openat:
      return static_cast<unsigned long>(trap.argument(2));
    case __NR_openat2: {
      open_how how;
      return copy_in(how, trap.pointer<open_how>(2)) ? how.flags : 0;
    }
    default:  // creat(2)
      return O_WRONLY;
  }
}

// openat2(2) with rules for how the path is taken: another name of the same file would not be
// taken the same way.
bool has_rules(const Trap &trap) noexcept {
  open_how how;
  return trap.number() == __NR_openat2 && copy_in(how, trap.pointer<open_how>(2)) &&
         how.resolve != 0;
}

long call_engine(const Trap &trap) noexcept {
  long arguments[6];
  for (int i = 0; i < 6; ++i) arguments[i] = trap.argument(i);
  const int index = path_argument(trap.number());
  constexpr unsigned long longest = sizeof "/proc/thread-self/exe";
  if (index >= 0 && !has_rules(trap) && string_readable(trap.pointer<char>(index), longest)) {
    arguments[index] = as_argument(resolve_own_executable(trap.pointer<char>(index)));
  }
  return plash_syscall(trap.number(), arguments[0], arguments[1], arguments[2], arguments[3],
                       arguments[4], arguments[5]);
}

bool makes_descriptor(long number) noexcept {
  return number == __NR_open || number == __NR_openat || number == __NR_openat2 ||
         number == __NR_creat;
}

void emulate(Trap &trap) noexcept {
  if (kernel_serves(trap)) return trap.call_natively();
  long result = call_engine(trap);
  // What would not get a number must not be created or truncated either.
  if (result == -EMFILE && makes_descriptor(trap.number()) && !has_free_descriptor())
    return trap.answer(-EMFILE);
  if (result == -EMFILE ||
      (result == -EBADF && (trap.number() == __NR_chdir || trap.number() == __NR_fchdir))) {
    // Serving the call takes descriptors for a moment, in messages too, and chdir(2) a high number,
    // that the program's limit does not allow.
    DescriptorRoom room;
    if (room.lifted()) {
      result = call_engine(trap);
      if (result >= 0 && makes_descriptor(trap.number()) &&
          static_cast<rlim_t>(result) >= room.limit()) {
        system_call(__NR_close, result);
        result = -EMFILE;
      }
    }
  }
  if (result >= 0 && makes_descriptor(trap.number()))
    watch_transfers(static_cast<int>(result), open_flags(trap));
  trap.answer(result);
}

}  // namespace

void dispatch(Trap &trap) noexcept {
  switch (trap.number()) {
    case __NR_rt_sigprocmask:
      return emulate_sigprocmask(trap);
    case __NR_rt_sigaction:
      return emulate_sigaction(trap);
    case __NR_rt_sigreturn:
      return emulate_sigreturn(trap);
    case __NR_sigaltstack:
      return emulate_sigaltstack(trap);
    case __NR_rt_sigsuspend:
    case __NR_ppoll:
    case __NR_pselect6:
    case __NR_epoll_pwait:
    case __NR_epoll_pwait2:
    case __NR_io_pgetevents:
      return emulate_masked_wait(trap);
    case __NR_execve:
      return trap.answer(execute(AT_FDCWD, trap.pointer<char>(0), trap.pointer<char *>(1),
                                 trap.pointer<char *>(2), 0, trap.mask()));
    case __NR_execveat:
      return trap.answer(execute(static_cast<int>(trap.argument(0)), trap.pointer<char>(1),
                                 trap.pointer<char *>(2), trap.pointer<char *>(3),
                                 static_cast<int>(trap.argument(4)), trap.mask()));
    case __NR_clone:
      return start_borrower(trap);
    case __NR_ptrace:
      return trap.answer(trace_me());
    case __NR_close_range:
      return trap.answer(close_range_around_services(trap));
    case __NR_setrlimit:
    case __NR_prlimit64:
      return trap.answer(set_descriptor_limit(trap));
    case __NR_setuid:
    case __NR_setgid:
    case __NR_setreuid:
    case __NR_setregid:
    case __NR_setresuid:
    case __NR_setresgid:
      return trap.answer(change_ids(trap));
    case __NR_seccomp:
    case __NR_prctl:
      return trap.answer(install_programs_filter(trap));
    case __NR_read:
    case __NR_readv:
    case __NR_pread64:
    case __NR_preadv:
    case __NR_preadv2:
      return emulate_transfer(trap, false);
    case __NR_write:
    case __NR_writev:
    case __NR_pwrite64:
    case __NR_pwritev:
    case __NR_pwritev2:
      return emulate_transfer(trap, true);
    default:
      return emulate(trap);
  }
}

}  // namespace plash::loader
