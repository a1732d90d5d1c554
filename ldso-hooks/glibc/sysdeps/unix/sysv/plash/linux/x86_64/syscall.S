/* SPDX-License-Identifier: LGPL-2.1-or-later

   long int syscall (long int number, ...).  The engine's function has the same arguments in the
   same places.  Numbers that it does not emulate keep the one instruction: some, as vfork(2), must
   not return through a frame.  */

#include <sysdep.h>

	.text
ENTRY (syscall)
	cmpq	$PLASH_EMULATED_LIMIT, %rdi
	jae	1f
	leaq	emulated(%rip), %rax
	btq	%rdi, (%rax)
	jnc	1f
	pushq	8(%rsp)
	cfi_adjust_cfa_offset (8)
#ifdef SHARED
	call	*__plash_syscall@GOTPCREL(%rip)
#else
	call	__plash_syscall
#endif
	addq	$8, %rsp
	cfi_adjust_cfa_offset (-8)
	jmp	2f
1:	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rcx, %rdx
	movq	%r8, %r10
	movq	%r9, %r8
	movq	8(%rsp), %r9
	syscall
2:	cmpq	$-4095, %rax
	jae	SYSCALL_ERROR_LABEL
	ret
PSEUDO_END (syscall)

	.section .rodata
	.p2align 3
emulated:
	.quad	PLASH_EMULATED_BITS
