// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/stress/stepper.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>

#include "protocol/system_call.h"

namespace plash::stress {
namespace {

Visitor current_visitor = nullptr;
void *current_data = nullptr;

bool is_system_call(std::uint64_t address) noexcept {
  const auto *const code = reinterpret_cast<const unsigned char *>(address);
  return code[0] == 0x0f && code[1] == 0x05;
}

void handle_trap(int, siginfo_t *, void *opaque) noexcept {
  const int error = errno;
  auto &registers = static_cast<ucontext_t *>(opaque)->uc_mcontext.gregs;
  Step step{};
  step.address = static_cast<std::uint64_t>(registers[REG_RIP]);
  if (!is_system_call(step.address)) {
    step.kind = Step::instruction;
    current_visitor(step, current_data);
    errno = error;
    return;
  }
  step.kind = Step::before_system_call;
  step.number = registers[REG_RAX];
  const int argument_registers[6] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};
  for (int i = 0; i < 6; ++i) step.arguments[i] = registers[argument_registers[i]];
  current_visitor(step, current_data);
  if (!runs_in_place(step.number)) {
    if (!step.skip) {
      const long *const a = step.arguments;
      step.result = system_call(step.number, a[0], a[1], a[2], a[3], a[4], a[5]);
    }
    step.kind = Step::after_system_call;
    current_visitor(step, current_data);
    // As the SYSCALL instruction leaves them.
    registers[REG_RAX] = step.result;
    registers[REG_RCX] = registers[REG_RIP] += 2;
    registers[REG_R11] = registers[REG_EFL];
  }
  errno = error;
}

// The stack pointer moves over the red zone, which may be in use.
void set_trap_flag() noexcept {
  __asm__ volatile(
      "lea -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tlea 128(%%rsp), %%rsp" ::
          : "memory", "cc");
}
void clear_trap_flag() noexcept {
  __asm__ volatile(
      "lea -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\tlea 128(%%rsp), "
      "%%rsp" ::
          : "memory", "cc");
}

}  // namespace

bool runs_in_place(long number) noexcept {
  switch (number) {
    case SYS_fork:
    case SYS_vfork:
    case SYS_clone:
    case SYS_clone3:
    case SYS_execve:
    case SYS_execveat:
    case SYS_exit:
    case SYS_exit_group:
    case SYS_rt_sigreturn:
    case SYS_rt_sigprocmask:  // would be undone when the handler returns
    case SYS_sigaltstack:
      return true;
    default:
      return false;
  }
}

void step_through(void (*function)(void *), void *argument, Visitor visitor, void *data) {
  current_visitor = visitor;
  current_data = data;
  struct sigaction action {};
  action.sa_sigaction = handle_trap;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  struct sigaction old {};
  sigaction(SIGTRAP, &action, &old);
  set_trap_flag();
  function(argument);
  clear_trap_flag();
  sigaction(SIGTRAP, &old, nullptr);
}

}  // namespace plash::stress
