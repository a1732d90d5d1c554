// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/stress/interceptor.h"

#include <errno.h>
#include <linux/prctl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "protocol/system_call.h"

// The way back from the handler is itself a system call, made with the others already intercepted
// again: it stands in the range that is left alone.
extern "C" void plash_stress_restorer();
extern "C" const char plash_stress_restorer_end[];
__asm__(
    ".pushsection .text\n"
    ".type plash_stress_restorer, @function\n"
    "plash_stress_restorer:\n"
    "  mov $15, %eax\n"  // __NR_rt_sigreturn
    "  syscall\n"
    "plash_stress_restorer_end:\n"
    ".popsection\n");

namespace plash::stress {
namespace {

volatile char selector = SYSCALL_DISPATCH_FILTER_ALLOW;
Visitor current_visitor = nullptr;
void *current_data = nullptr;

// The kernel's struct sigaction; libc would put its own restorer into it.
struct KernelAction {
  void (*handler)(int, siginfo_t *, void *);
  unsigned long flags;
  void (*restorer)();
  unsigned long mask;
};
constexpr unsigned long sa_restorer = 0x04000000;

void handle_system_call(int, siginfo_t *, void *opaque) noexcept {
  selector = SYSCALL_DISPATCH_FILTER_ALLOW;
  const int error = errno;
  auto &registers = static_cast<ucontext_t *>(opaque)->uc_mcontext.gregs;
  Step step{};
  step.address = static_cast<std::uint64_t>(registers[REG_RIP]);
  step.kind = Step::before_system_call;
  step.number = registers[REG_RAX];
  const int argument_registers[6] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};
  for (int i = 0; i < 6; ++i) step.arguments[i] = registers[argument_registers[i]];
  current_visitor(step, current_data);
  if (runs_in_place(step.number)) {
    registers[REG_RIP] -= 2;
    errno = error;
    return;
  }
  if (!step.skip) {
    const long *const a = step.arguments;
    step.result = system_call(step.number, a[0], a[1], a[2], a[3], a[4], a[5]);
  }
  step.kind = Step::after_system_call;
  current_visitor(step, current_data);
  registers[REG_RAX] = step.result;
  errno = error;
  selector = SYSCALL_DISPATCH_FILTER_BLOCK;
}

}  // namespace

bool intercept(void (*function)(void *), void *argument, Visitor visitor, void *data) {
  current_visitor = visitor;
  current_data = data;
  const KernelAction action{handle_system_call, SA_SIGINFO | SA_NODEFER | sa_restorer,
                            plash_stress_restorer, 0};
  KernelAction old{};
  if (syscall(SYS_rt_sigaction, SIGSYS, &action, &old, sizeof action.mask) != 0) return false;
  const auto begin = reinterpret_cast<unsigned long>(&plash_stress_restorer);
  const auto size = reinterpret_cast<unsigned long>(&plash_stress_restorer_end) - begin;
  const bool possible =
      prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, begin, size + 1, &selector) == 0;
  if (possible) {
    selector = SYSCALL_DISPATCH_FILTER_BLOCK;
    function(argument);
    selector = SYSCALL_DISPATCH_FILTER_ALLOW;
    prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0);
  }
  syscall(SYS_rt_sigaction, SIGSYS, &old, nullptr, sizeof action.mask);
  return possible;
}

}  // namespace plash::stress
