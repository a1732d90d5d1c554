// SPDX-License-Identifier: LGPL-2.1-or-later
//
// syscall(2). Calls that make a child on the caller's stack, or on another one, must return without
// a stack frame of ours: they are made in place, all others by way of the engine.
#include "shim/preload/wrap.h"

namespace plash::preload {

extern "C" __attribute__((visibility("hidden"), used)) long plash_preload_system_call(
    long number, long a1, long a2, long a3, long a4, long a5, long a6) {
  return to_result<long>(call(number, a1, a2, a3, a4, a5, a6));
}

extern "C" __attribute__((visibility("hidden"), used)) long plash_preload_system_call_failed(
    long result) {
  return to_result<long>(result);
}

}  // namespace plash::preload

// clone 56, fork 57, vfork 58, rt_sigreturn 15, clone3 435
__asm__(R"(
        .text
        .globl  syscall
        .type   syscall, @function
syscall:
        .cfi_startproc
        cmpl    $56, %edi
        je      1f
        cmpl    $57, %edi
        je      1f
        cmpl    $58, %edi
        je      1f
        cmpl    $15, %edi
        je      1f
        cmpl    $435, %edi
        je      1f
        jmp     plash_preload_system_call
1:      movq    %rdi, %rax
        movq    %rsi, %rdi
        movq    %rdx, %rsi
        movq    %rcx, %rdx
        movq    %r8, %r10
        movq    %r9, %r8
        movq    8(%rsp), %r9
        syscall
        cmpq    $-4095, %rax
        jae     2f
        ret
2:      movq    %rax, %rdi
        jmp     plash_preload_system_call_failed
        .cfi_endproc
        .size   syscall, .-syscall
)");
