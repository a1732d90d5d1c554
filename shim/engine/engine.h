// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The engine: emulates Linux system calls that take a path, or that act on a directory or on the
// service descriptors, by calls to the file server. The doors into a process (the preload shim, the
// loader, a rebuilt glibc) are thin layers over these two functions. Freestanding: no libc, no
// allocation, no locks, no thread-local storage.
#pragma once

extern "C" {

// Takes PLASH_CAPS from envp (NULL-terminated; the strings are not kept) and the process's umask.
// To be called once, before there are threads and before the first plash_syscall(); a second call
// does nothing. secure: the process runs with AT_SECURE set; nothing is read from the environment
// then. PLASH_CAPS absent (or secure): every call passes to the kernel. Present and malformed:
// every emulated call fails with ENOSYS and standard error says why, once. PLASH_CALL=kept: calls
// go over kept sessions (protocol/session.h); plain: they do not. Not async-signal-safe
// with regard to plash_syscall() in other threads; opens no descriptor.
void plash_setup(char **envp, bool secure) noexcept;

// Performs system call nr (a __NR_ number of x86-64) with arguments as the kernel takes them:
// emulates it where syscalls.def says so, passes it to the kernel otherwise. Returns the result or
// -errno; never touches errno. Async-signal-safe, reentrant and thread-safe; works in children of
// fork(), vfork() and clone(). Uses at most 2 KiB of stack. Descriptors that it returns are the
// caller's; a failed call leaves no descriptor open.
long plash_syscall(long nr, long a1, long a2, long a3, long a4, long a5, long a6) noexcept;

}  // extern "C"
