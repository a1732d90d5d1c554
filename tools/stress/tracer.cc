// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/stress/tracer.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <system_error>

namespace plash::stress {
namespace {

// What is in rax at a breakpoint that says where visits begin and end.
constexpr unsigned long begin_mark = 0x706c6173'68626567;
constexpr unsigned long end_mark = 0x706c6173'68656e64;

constexpr int system_call_stop = SIGTRAP | 0x80;
constexpr unsigned long harmless_system_call = SYS_getppid;

[[noreturn]] void throw_errno(const char *what) {
  throw std::system_error(errno, std::generic_category(), what);
}

class Tracee final : public Subject {
 public:
  Tracee(void (*function)(void *), void *argument) : process_(fork()) {
    if (process_ < 0) throw_errno("fork");
    if (process_ == 0) {
      if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(99);
      raise(SIGSTOP);
      function(argument);
      _exit(0);
    }
    wait();
    if (!stopped()) return;
    if (ptrace(PTRACE_SETOPTIONS, process_, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) !=
        0)
      throw_errno("PTRACE_SETOPTIONS");
    resume(PTRACE_CONT, 0);
  }
  Tracee(const Tracee &) = delete;
  Tracee &operator=(const Tracee &) = delete;

  int status() const noexcept { return status_; }
  bool stopped() const noexcept { return WIFSTOPPED(status_); }
  int stop_signal() const noexcept { return WSTOPSIG(status_); }

  // Lets it go on to its next stop, or its end.
  void resume(__ptrace_request how, int signal) const noexcept {
    ptrace(how, process_, nullptr, long{signal});
    wait();
  }
  user_regs_struct registers() const noexcept {
    user_regs_struct registers{};
    ptrace(PTRACE_GETREGS, process_, nullptr, &registers);
    return registers;
  }
  void set_registers(const user_regs_struct &registers) const noexcept {
    ptrace(PTRACE_SETREGS, process_, nullptr, &registers);
  }
  bool enters_system_call() const noexcept {
    __ptrace_syscall_info info{};
    ptrace(PTRACE_GET_SYSCALL_INFO, process_, sizeof info, &info);
    return info.op == PTRACE_SYSCALL_INFO_ENTRY;
  }

  // From a stop behind a system call: its instruction is executed once more, with other registers.
  long call(long number, long first, long second, long third) const noexcept override {
    const user_regs_struct before = registers();
    user_regs_struct changed = before;
    changed.rip -= 2;
    changed.orig_rax = ~0ul;
    changed.rax = static_cast<unsigned long>(number);
    changed.rdi = static_cast<unsigned long>(first);
    changed.rsi = static_cast<unsigned long>(second);
    changed.rdx = static_cast<unsigned long>(third);
    set_registers(changed);
    resume(PTRACE_SYSCALL, 0);  // before it
    resume(PTRACE_SYSCALL, 0);  // behind it
    const long result = static_cast<long>(registers().rax);
    set_registers(before);
    return result;
  }
  void load(void *to, const void *from, std::size_t size) const noexcept override {
    const iovec here{to, size};
    const iovec there{const_cast<void *>(from), size};
    process_vm_readv(process_, &here, 1, &there, 1, 0);
  }
  void store(void *to, const void *from, std::size_t size) const noexcept override {
    const iovec here{const_cast<void *>(from), size};
    const iovec there{to, size};
    process_vm_writev(process_, &here, 1, &there, 1, 0);
  }

 private:
  void wait() const noexcept {
    while (waitpid(process_, &status_, 0) < 0 && errno == EINTR) {
    }
  }

  pid_t process_;
  mutable int status_ = 0;
};

Step step_at(const user_regs_struct &registers) noexcept {
  Step step{};
  step.address = registers.rip - 2;
  step.number = static_cast<long>(registers.orig_rax);
  const unsigned long arguments[] = {registers.rdi, registers.rsi, registers.rdx,
                                     registers.r10, registers.r8,  registers.r9};
  for (int i = 0; i < 6; ++i) step.arguments[i] = static_cast<long>(arguments[i]);
  return step;
}

// The tracee is stopped before a system call; afterwards it is behind it. Whether more are to be
// visited.
bool visit_system_call(const Tracee &tracee, RemoteVisitor visitor, void *data) {
  user_regs_struct registers = tracee.registers();
  Step step = step_at(registers);
  step.kind = Step::before_system_call;
  visitor(step, tracee, data);
  if (step.skip) {
    // One that does nothing. Not number -1, by which the kernel would be told to make none: a
    // filter sees that first, and this sandbox's takes it for a call of another interface.
    registers.orig_rax = harmless_system_call;
    registers.rdi = 0;
    tracee.set_registers(registers);
  }
  tracee.resume(PTRACE_SYSCALL, 0);
  if (!tracee.stopped() || tracee.stop_signal() != system_call_stop) return true;
  registers = tracee.registers();
  if (step.skip) registers.rdi = static_cast<unsigned long>(step.arguments[0]);
  if (!step.skip) step.result = static_cast<long>(registers.rax);
  step.kind = Step::after_system_call;
  const bool more = visitor(step, tracee, data);
  registers.rax = static_cast<unsigned long>(step.result);
  tracee.set_registers(registers);
  return more;
}

}  // namespace

int run_traced(void (*function)(void *), void *argument, RemoteVisitor visitor, void *data) {
  const Tracee tracee(function, argument);
  bool visiting = false;
  while (tracee.stopped()) {
    int signal = 0;
    if (tracee.stop_signal() == SIGTRAP) {
      visiting = tracee.registers().rax == begin_mark;
    } else if (tracee.stop_signal() != system_call_stop) {
      signal = tracee.stop_signal();
    } else if (tracee.enters_system_call()) {
      visiting = visit_system_call(tracee, visitor, data);
      // In place of the end of the system call, something else has stopped it.
      if (tracee.stop_signal() != system_call_stop) continue;
    }
    tracee.resume(visiting ? PTRACE_SYSCALL : PTRACE_CONT, signal);
  }
  return tracee.status();
}

int run_interrupted_by_tracer(void (*function)(void *), void *argument, int signal,
                              std::uint64_t begin, std::uint64_t end, Interruptions &data) {
  enum class State { outside, stepping, in_handler, returning };
  const Tracee tracee(function, argument);
  State state = State::outside;
  std::uint64_t handled = data.handled;
  while (tracee.stopped()) {
    int passed = 0;
    const user_regs_struct registers = tracee.registers();
    if (tracee.stop_signal() != SIGTRAP) {
      passed = tracee.stop_signal();
    } else if (state == State::outside) {
      if (registers.rax == begin_mark) state = State::stepping;
    } else if (state == State::in_handler) {
      state = State::returning;
    } else if (data.handled != handled) {
      handled = data.handled;
      state = State::in_handler;
    } else if (state == State::returning) {
      if (registers.rip == data.instruction_pointer && registers.rsp == data.stack_pointer)
        state = State::stepping;
    } else if (registers.rax == end_mark) {
      state = State::outside;
    } else if (registers.rip >= begin && registers.rip < end) {
      ++data.points;
      passed = signal;  // where it is blocked, it waits until it is not
    }
    const bool stepped = state == State::stepping || state == State::returning;
    tracee.resume(stepped ? PTRACE_SINGLESTEP : PTRACE_CONT, passed);
  }
  return tracee.status();
}

void note_interruption(Interruptions &data, const void *context) noexcept {
  const auto &registers = static_cast<const ucontext_t *>(context)->uc_mcontext.gregs;
  data.instruction_pointer = static_cast<std::uint64_t>(registers[REG_RIP]);
  data.stack_pointer = static_cast<std::uint64_t>(registers[REG_RSP]);
  ++data.handled;
}

void leave_handler() noexcept { __asm__ volatile("int3" ::"a"(0) : "memory"); }

void begin_visits() noexcept { __asm__ volatile("int3" ::"a"(begin_mark) : "memory"); }
void end_visits() noexcept { __asm__ volatile("int3" ::"a"(end_mark) : "memory"); }

void *shared_memory(std::size_t size) {
  void *const memory =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw_errno("mmap");
  return memory;
}

}  // namespace plash::stress
