/* SPDX-License-Identifier: LGPL-2.1-or-later  */

#ifndef _PLASH_SYSCALL_H
#define _PLASH_SYSCALL_H 1

/* Performs system call NUMBER with the file server's help, or hands it to the kernel.  Returns the
   result or -errno.  Async-signal-safe.  It is in ld.so, with all state, and in libc.a; libc.so
   calls it through its global offset table, filled in when it is loaded: lazy binding would run in
   vfork children and signal handlers.  */
extern long int __plash_syscall (long int number, long int a1, long int a2,
				 long int a3, long int a4, long int a5,
				 long int a6)
# if IS_IN (rtld)
  ;
rtld_hidden_proto (__plash_syscall)
# elif defined SHARED
  __attribute__ ((noplt));
# else
  attribute_hidden;
# endif

/* For cancellation points.  What the kernel is to wait for, the caller does itself between
   __plash_begin_wait, which returns whether it is so and takes notes, and __plash_end_wait, which
   turns the kernel's RESULT into the caller's.  */
struct plash_wait
{
  long int number;
  long int arguments[6];
  unsigned int room;
};
extern _Bool __plash_begin_wait (struct plash_wait *wait)
# if IS_IN (rtld)
  ;
rtld_hidden_proto (__plash_begin_wait)
# elif defined SHARED
  __attribute__ ((noplt));
# else
  attribute_hidden;
# endif
extern long int __plash_end_wait (const struct plash_wait *wait,
				  long int result)
# if IS_IN (rtld)
  ;
rtld_hidden_proto (__plash_end_wait)
# elif defined SHARED
  __attribute__ ((noplt));
# else
  attribute_hidden;
# endif

# if IS_IN (libc)
/* As __plash_syscall, as a cancellation point.  */
extern long int __plash_syscall_cancel (long int number, long int a1,
					long int a2, long int a3, long int a4,
					long int a5, long int a6)
  attribute_hidden;
# endif

#endif
