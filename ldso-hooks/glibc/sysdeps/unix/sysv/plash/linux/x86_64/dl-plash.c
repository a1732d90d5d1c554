/* SPDX-License-Identifier: LGPL-2.1-or-later

   The engine's entry points in ld.so and libc.a, and its set-up.  */

#include <ldsodefs.h>
#include <unistd.h>
#include <sysdep.h>
#include <plash-syscall.h>

/* In plash-engine.o, described in ldso-hooks/glibc/door.h.  */
extern void __plash_engine_set_up (char **envp, _Bool secure)
  attribute_hidden;
extern long int __plash_engine_syscall (long int number, long int a1,
					long int a2, long int a3, long int a4,
					long int a5, long int a6)
  attribute_hidden;
extern _Bool __plash_engine_begin_wait (struct plash_wait *wait)
  attribute_hidden;
extern long int __plash_engine_end_wait (const struct plash_wait *wait,
					 long int result) attribute_hidden;

/* By this note the door knows its own static programs, ld.so among them (program_check.cc).  */
asm (".pushsection .note.plash, \"a\", @note\n\t"
     ".p2align 2\n\t"
     ".long 6, 0, 1\n\t"
     ".asciz \"Plash\"\n\t"
     ".p2align 2\n\t"
     ".popsection");

static _Bool set_up_done;

/* The environment as the kernel gave it ends where the auxiliary vector begins.  Taken from there
   and not from __environ, which a program may have changed, and which an ld.so that a static
   program loads does not have.  */
static void
set_up (void)
{
  const ElfW(auxv_t) *auxv = GLRO (dl_auxv);
  if (auxv == NULL)
    return;
  set_up_done = 1;
  char **envp = (char **) auxv - 1;
  while (envp[-1] != NULL)
    --envp;
  _Bool secure = __libc_enable_secure != 0;
  for (; auxv->a_type != AT_NULL; ++auxv)
    if (auxv->a_type == AT_SECURE && auxv->a_un.a_val != 0)
      secure = 1;
  __plash_engine_set_up (envp, secure);
}

long int
__plash_syscall (long int number, long int a1, long int a2, long int a3,
		 long int a4, long int a5, long int a6)
{
  if (__glibc_unlikely (!set_up_done))
    set_up ();
  return __plash_engine_syscall (number, a1, a2, a3, a4, a5, a6);
}

_Bool
__plash_begin_wait (struct plash_wait *wait)
{
  if (__glibc_unlikely (!set_up_done))
    set_up ();
  return __plash_engine_begin_wait (wait);
}

long int
__plash_end_wait (const struct plash_wait *wait, long int result)
{
  return __plash_engine_end_wait (wait, result);
}

#if IS_IN (rtld)
rtld_hidden_def (__plash_syscall)
rtld_hidden_def (__plash_begin_wait)
rtld_hidden_def (__plash_end_wait)
#else
/* In ld.so the first call, which loads a library, comes before there are threads; a static program
   may make none.  */
static void __attribute__ ((constructor))
set_up_early (void)
{
  if (!set_up_done)
    set_up ();
}
#endif
