// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/scratch_stack.h"

#include <asm/unistd_64.h>
#include <linux/kcmp.h>

#include "protocol/system_call.h"

namespace plash::loader {

extern "C" void plash_call_on_stack(void (*function)(void *), void *argument, void *top);
// Keeps the chain of frame pointers: current_context() follows it.
__asm__(
    ".text\n.hidden plash_call_on_stack\n.globl plash_call_on_stack\n.type plash_call_on_stack, "
    "@function\n"
    "plash_call_on_stack:\n"
    "  push %rbp\n  mov %rsp, %rbp\n  mov %rdx, %rsp\n  mov %rdi, %rax\n  mov %rsi, %rdi\n  call "
    "*%rax\n"
    "  mov %rbp, %rsp\n  pop %rbp\n  ret\n");

namespace {

constexpr unsigned long stack_size = 16 * 1024;
constexpr int stack_count =
    16;  // children between fork and exec at one time; more go on with the stack that they have

alignas(16) char stacks[stack_count][stack_size];
int users[stack_count];  // process IDs
int owner;

bool shares_memory(int own, int other) noexcept {
  return system_call(__NR_kcmp, own, other, KCMP_VM, 0, 0) == 0;
}

// A child that was successfully executed, or killed, leaves its stack marked as used.
int take_stack(int self) noexcept {
  for (int i = 0; i < stack_count; ++i) {
    int user = __atomic_load_n(&users[i], __ATOMIC_RELAXED);
    if (user != 0 && (user == self || shares_memory(self, user))) continue;
    if (__atomic_compare_exchange_n(&users[i], &user, self, false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_RELAXED))
      return i;
  }
  return -1;
}

}  // namespace

void note_owner() noexcept { owner = static_cast<int>(system_call(__NR_getpid)); }

bool borrows_memory() noexcept {
  const auto self = static_cast<int>(system_call(__NR_getpid));
  return self != owner && shares_memory(self, owner);
}

void call_with_room(void (*function)(void *), void *argument) noexcept {
  const auto self = static_cast<int>(system_call(__NR_getpid));
  if (self == owner) return function(argument);
  if (!shares_memory(self, owner)) {
    // A child of fork(2): the memory is a copy and its own.
    owner = self;
    return function(argument);
  }
  const int index = take_stack(self);
  if (index < 0) return function(argument);
  plash_call_on_stack(function, argument, stacks[index] + stack_size);
  __atomic_store_n(&users[index], 0, __ATOMIC_RELEASE);
}

}  // namespace plash::loader
