/* SPDX-License-Identifier: LGPL-2.1-or-later

   Cancellation points that the engine emulates.  Where the kernel does the waiting (for data, for a
   connection, for a lock) it is a system call like any other, made here with asynchronous
   cancellation as in glibc.  A call to the server is not cancelled in the middle, since that would
   lose the descriptors that are on their way: a pending request is acted on first.  */

#include <sysdep-cancel.h>

long int
__plash_syscall_cancel (long int number, long int a1, long int a2, long int a3,
			long int a4, long int a5, long int a6)
{
  if (NO_SYSCALL_CANCEL_CHECKING)
    return __plash_syscall (number, a1, a2, a3, a4, a5, a6);

  struct plash_wait wait = { number, { a1, a2, a3, a4, a5, a6 }, 0 };
  if (!__plash_begin_wait (&wait))
    {
      /* Acts on a request, as pthread_testcancel does, which would pull half of libc into ld.so
	 where elf/Makefile finds out what ld.so needs.  */
      LIBC_CANCEL_RESET (LIBC_CANCEL_ASYNC ());
      return __plash_syscall (number, a1, a2, a3, a4, a5, a6);
    }
  int oldtype = LIBC_CANCEL_ASYNC ();
  long int result = internal_syscall6 (number, a1, a2, a3, a4, a5, a6);
  LIBC_CANCEL_RESET (oldtype);
  return __plash_end_wait (&wait, result);
}
