/* SPDX-License-Identifier: LGPL-2.1-or-later

   Before glibc's own sysdep.h of this name, in the order of its sysdeps directories: a system call
   with a number that the engine emulates goes to __plash_syscall, decided when it is compiled or
   assembled; every other stays as it is.  Programs of glibc's own (tests, ldconfig) stay as they
   are, too: they are linked with the library, and it is the library that makes the calls.  */

#ifndef _PLASH_SYSDEP_H
#define _PLASH_SYSDEP_H 1

/* Which includes this file again, by way of tls.h.  */
#include_next <sysdep.h>

#include <plash-emulated.h>

#if IS_IN_LIB

# ifdef __ASSEMBLER__

/* What make-syscalls.sh makes of syscalls.list: arguments are where a function's are.  */
#  undef DO_CALL
#  define DO_CALL(syscall_name, args, ulong_arg_1, ulong_arg_2)		      \
    .if PLASH_EMULATED (SYS_ify (syscall_name));			      \
    movl $SYS_ify (syscall_name), %eax;					      \
    call __plash_stub;							      \
    .else;								      \
    DOARGS_##args							      \
    ZERO_EXTEND_##ulong_arg_1						      \
    ZERO_EXTEND_##ulong_arg_2						      \
    movl $SYS_ify (syscall_name), %eax;					      \
    syscall;								      \
    .endif;

# else

#  include <plash-syscall.h>

#  define PLASH_IS_EMULATED(number)					      \
  (__builtin_constant_p (number) && PLASH_EMULATED (number))

#  define PLASH_ARGS0() 0, 0, 0, 0, 0, 0
#  define PLASH_ARGS1(a1) (long int) ARGIFY (a1), 0, 0, 0, 0, 0
#  define PLASH_ARGS2(a1, a2)						      \
  (long int) ARGIFY (a1), (long int) ARGIFY (a2), 0, 0, 0, 0
#  define PLASH_ARGS3(a1, a2, a3)					      \
  (long int) ARGIFY (a1), (long int) ARGIFY (a2), (long int) ARGIFY (a3), 0, 0, 0
#  define PLASH_ARGS4(a1, a2, a3, a4)					      \
  (long int) ARGIFY (a1), (long int) ARGIFY (a2), (long int) ARGIFY (a3),     \
  (long int) ARGIFY (a4), 0, 0
#  define PLASH_ARGS5(a1, a2, a3, a4, a5)				      \
  (long int) ARGIFY (a1), (long int) ARGIFY (a2), (long int) ARGIFY (a3),     \
  (long int) ARGIFY (a4), (long int) ARGIFY (a5), 0
#  define PLASH_ARGS6(a1, a2, a3, a4, a5, a6)				      \
  (long int) ARGIFY (a1), (long int) ARGIFY (a2), (long int) ARGIFY (a3),     \
  (long int) ARGIFY (a4), (long int) ARGIFY (a5), (long int) ARGIFY (a6)

#  undef INTERNAL_SYSCALL
#  define INTERNAL_SYSCALL(name, nr, args...)				      \
  INTERNAL_SYSCALL_NCS (SYS_ify (name), nr, ##args)

#  undef INTERNAL_SYSCALL_NCS
#  define INTERNAL_SYSCALL_NCS(number, nr, args...)			      \
  (PLASH_IS_EMULATED (number)						      \
   ? __plash_syscall (number, PLASH_ARGS##nr (args))			      \
   : internal_syscall##nr (number, ##args))

/* Cancellation points.  Only libc.so and libc.a have cancellation; ld.so and the others call as if
   there were none, as they do in glibc.  */
#  if IS_IN (libc)
#   define PLASH_CANCEL1(name, a1)					      \
  __plash_syscall_cancel (SYS_ify (name), PLASH_ARGS1 (a1))
#   define PLASH_CANCEL2(name, a1, a2)					      \
  __plash_syscall_cancel (SYS_ify (name), PLASH_ARGS2 (a1, a2))
#   define PLASH_CANCEL3(name, a1, a2, a3)				      \
  __plash_syscall_cancel (SYS_ify (name), PLASH_ARGS3 (a1, a2, a3))
#   define PLASH_CANCEL4(name, a1, a2, a3, a4)				      \
  __plash_syscall_cancel (SYS_ify (name), PLASH_ARGS4 (a1, a2, a3, a4))
#   define PLASH_CANCEL5(name, a1, a2, a3, a4, a5)			      \
  __plash_syscall_cancel (SYS_ify (name), PLASH_ARGS5 (a1, a2, a3, a4, a5))
#   define PLASH_CANCEL6(name, a1, a2, a3, a4, a5, a6)			      \
  __plash_syscall_cancel (SYS_ify (name), PLASH_ARGS6 (a1, a2, a3, a4, a5, a6))
#   define PLASH_CANCEL0(name)						      \
  __plash_syscall_cancel (SYS_ify (name), PLASH_ARGS0 ())
#   define PLASH_NAME(name, ...) SYS_ify (name)
#   define PLASH_CANCEL(...) __INTERNAL_SYSCALL_DISP (PLASH_CANCEL, __VA_ARGS__)

#   undef SYSCALL_CANCEL
#   define SYSCALL_CANCEL(...)						      \
  ({									      \
    long int plash_result = INTERNAL_SYSCALL_CANCEL (__VA_ARGS__);	      \
    __glibc_unlikely (INTERNAL_SYSCALL_ERROR_P (plash_result))		      \
    ? SYSCALL_ERROR_LABEL (INTERNAL_SYSCALL_ERRNO (plash_result))	      \
    : plash_result;							      \
  })

#   undef INTERNAL_SYSCALL_CANCEL
#   define INTERNAL_SYSCALL_CANCEL(...)					      \
  ({									      \
    long int sc_ret;							      \
    if (PLASH_IS_EMULATED (PLASH_NAME (__VA_ARGS__)))			      \
      sc_ret = PLASH_CANCEL (__VA_ARGS__);				      \
    else if (NO_SYSCALL_CANCEL_CHECKING)				      \
      sc_ret = INTERNAL_SYSCALL_CALL (__VA_ARGS__);			      \
    else								      \
      {									      \
	int sc_cancel_oldtype = LIBC_CANCEL_ASYNC ();			      \
	sc_ret = INTERNAL_SYSCALL_CALL (__VA_ARGS__);			      \
	LIBC_CANCEL_RESET (sc_cancel_oldtype);				      \
      }									      \
    sc_ret;								      \
  })
#  endif /* IS_IN (libc) */

# endif /* !__ASSEMBLER__ */

#endif /* IS_IN_LIB */

#endif /* _PLASH_SYSDEP_H */
