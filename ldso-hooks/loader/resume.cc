// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The ways back into the program that are not simply "the call gave this result". Those that lead
// through code here leave a block of what that code has to put back on the stack, where nothing
// uses it once the handler has returned.
#include <asm/unistd_64.h>

#include "ldso-hooks/loader/trap.h"
#include "ldso-hooks/loader/user_memory.h"
#include "protocol/system_call.h"

namespace plash::loader {
namespace {

constexpr long syscall_instruction_size = 2;
constexpr unsigned long red_zone = 128;
// More than the functions between the handler and the one that writes the block take up
// (tests/ldso-hooks/stack_test.py looks at it).
constexpr unsigned long frame_margin = 1536;

}  // namespace

extern "C" {
// Each makes the system call that the registers hold, puts back the one that was changed, the stack
// pointer and the instruction pointer. rcx and r11 are the system call's to change.
void plash_resume_rdi();
void plash_resume_r10();
void plash_resume_r8();
void plash_resume_r9();
// Makes the system call, then munmap(2), then puts back rdi, rsi and the result of an earlier one.
void plash_resume_stack();
}

#define RESUME(name, put_back)                                                             \
  __asm__(".text\n.hidden " #name "\n.globl " #name "\n.type " #name ", @function\n" #name \
          ":\n"                                                                            \
          "  syscall\n" put_back "  mov 8(%rsp), %rcx\n  mov 16(%rsp), %rsp\n  jmp *%rcx\n")
RESUME(plash_resume_rdi, "  mov 0(%rsp), %rdi\n");
RESUME(plash_resume_r10, "  mov 0(%rsp), %r10\n");
RESUME(plash_resume_r8, "  mov 0(%rsp), %r8\n");
RESUME(plash_resume_r9, "  mov 0(%rsp), %r9\n");
RESUME(plash_resume_stack,
       "  mov 40(%rsp), %rdi\n  mov 48(%rsp), %rsi\n  mov $11, %eax\n  syscall\n"
       "  mov 0(%rsp), %rdi\n  mov 24(%rsp), %rsi\n  mov 32(%rsp), %rax\n");
static_assert(__NR_munmap == 11);
#undef RESUME

extern "C" void plash_resume_clone();
extern "C" const stack_t plash_no_stack;
const stack_t plash_no_stack{nullptr, SS_DISABLE, 0};
// The child starts with an empty stack but for the address at which it goes on; the argument that
// held the stack is again what it was, in parent and child.
__asm__(
    ".text\n.hidden plash_resume_clone\n.globl plash_resume_clone\n"
    ".type plash_resume_clone, @function\nplash_resume_clone:\n"
    "  syscall\n  test %rax, %rax\n  jnz 1f\n"
    "  push %rdi\n  lea plash_no_stack(%rip), %rdi\n  xor %esi, %esi\n  mov $131, %eax\n  syscall\n"
    "  pop %rdi\n  xor %eax, %eax\n  pop %rcx\n  mov %rsp, %rsi\n  jmp *%rcx\n"
    "1:\n  mov 0(%rsp), %rsi\n  mov 8(%rsp), %rcx\n  mov 16(%rsp), %rsp\n  jmp *%rcx\n");
static_assert(__NR_sigaltstack == 131);

namespace {

// What those routines find at the stack pointer.
struct Block {
  long saved;
  long instruction_pointer;
  long stack_pointer;
};

struct alignas(16) MaskBlock {
  Block registers;
  SignalSet mask;
  const SignalSet *mask_address;  // as pselect6(2) has them
  unsigned long mask_size;
};

struct alignas(16) StackBlock {
  Block registers;
  long saved_second;
  long result;
  void *unmapped;
  unsigned long unmapped_size;
  stack_t stack;
};
static_assert(__builtin_offsetof(StackBlock, saved_second) == 24 &&
              __builtin_offsetof(StackBlock, unmapped_size) == 48);

template <class T>
T *block_below(unsigned long address) noexcept {
  return reinterpret_cast<T *>((address - sizeof(T)) & ~15ul);
}

}  // namespace

unsigned long Trap::free_stack() const noexcept {
  const stack_t &alternate = context_.uc_stack;
  const unsigned long at = stack_pointer();
  const auto base = reinterpret_cast<unsigned long>(alternate.ss_sp);
  const bool enabled = alternate.ss_size != 0 && (alternate.ss_flags & SS_DISABLE) == 0;
  // The handler is on the alternate stack and the program was not: its own stack is free below the
  // red zone. Otherwise the handler's frame lies there, with the context at its lower end, and what
  // lies below that is free.
  if (enabled && !(at > base && at <= base + alternate.ss_size)) return at - red_zone;
  return reinterpret_cast<unsigned long>(&context_) - frame_margin;
}

void Trap::call_natively() noexcept {
  auto &registers = context_.uc_mcontext.gregs;
  registers[REG_RAX] = number_;
  registers[REG_RDI] =
      static_cast<long>((static_cast<unsigned long>(registers[REG_RDI]) & 0xffffffff) |
                        static_cast<unsigned long>(passed_mark) << 32);
  registers[REG_RIP] -= syscall_instruction_size;
}

__attribute__((noinline)) void Trap::call_with_mask(int index, SignalSet mask,
                                                    bool wrapped) noexcept {
  auto &registers = context_.uc_mcontext.gregs;
  const int changed = index == 0 ? REG_RDI : index == 3 ? REG_R10 : index == 4 ? REG_R8 : REG_R9;
  auto *block = block_below<MaskBlock>(free_stack());
  block->registers.saved = registers[changed];
  block->registers.instruction_pointer = registers[REG_RIP];
  block->registers.stack_pointer = registers[REG_RSP];
  block->mask = mask;
  block->mask_address = &block->mask;
  block->mask_size = signal_set_size;
  registers[REG_RAX] = number_;
  registers[REG_RSP] = as_argument(block);
  registers[changed] = wrapped ? as_argument(&block->mask_address) : as_argument(&block->mask);
  go_to(index == 0   ? plash_resume_rdi
        : index == 3 ? plash_resume_r10
        : index == 4 ? plash_resume_r8
                     : plash_resume_r9);
}

__attribute__((noinline)) void Trap::change_alternate_stack(const stack_t &stack, void *unmapped,
                                                            unsigned long unmapped_size) noexcept {
  auto &registers = context_.uc_mcontext.gregs;
  auto *block = block_below<StackBlock>(free_stack());
  block->registers.saved = registers[REG_RDI];
  block->saved_second = registers[REG_RSI];
  block->result = registers[REG_RAX];
  block->registers.instruction_pointer = registers[REG_RIP];
  block->registers.stack_pointer = registers[REG_RSP];
  block->unmapped = unmapped;
  block->unmapped_size = unmapped_size;
  block->stack = stack;
  registers[REG_RAX] = __NR_sigaltstack;
  registers[REG_RDI] = as_argument(&block->stack);
  registers[REG_RSI] = 0;
  registers[REG_RSP] = as_argument(block);
  go_to(plash_resume_stack);
}

__attribute__((noinline)) bool Trap::clone_without_alternate_stack(long *return_slot) noexcept {
  auto &registers = context_.uc_mcontext.gregs;
  if (!copy_out(return_slot, registers[REG_RIP])) return false;
  auto *block = block_below<MaskBlock>(free_stack());
  block->registers.saved = registers[REG_RSI];
  block->registers.instruction_pointer = registers[REG_RIP];
  block->registers.stack_pointer = registers[REG_RSP];
  registers[REG_RAX] = number_;
  registers[REG_RSI] = as_argument(return_slot);
  registers[REG_RSP] = as_argument(block);
  go_to(plash_resume_clone);
  return true;
}

}  // namespace plash::loader
