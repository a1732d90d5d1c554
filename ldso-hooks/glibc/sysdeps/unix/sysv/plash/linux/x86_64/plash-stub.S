/* SPDX-License-Identifier: LGPL-2.1-or-later

   Called by the stubs that make-syscalls.sh makes, each of which has called this: the number is in
   %eax, the arguments are where the stub's caller put them.  One copy in each library.  */

#include <sysdep.h>

	.text
	.hidden __plash_stub
ENTRY (__plash_stub)
	subq	$8, %rsp
	cfi_adjust_cfa_offset (8)
	pushq	%r9
	cfi_adjust_cfa_offset (8)
	movq	%r8, %r9
	movq	%rcx, %r8
	movq	%rdx, %rcx
	movq	%rsi, %rdx
	movq	%rdi, %rsi
	movl	%eax, %edi
#if IS_IN (rtld) || !defined SHARED
	call	HIDDEN_JUMPTARGET (__plash_syscall)
#else
	call	*__plash_syscall@GOTPCREL(%rip)
#endif
	addq	$16, %rsp
	cfi_adjust_cfa_offset (-16)
	ret
END (__plash_stub)
