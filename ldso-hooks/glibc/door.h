// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a rebuilt glibc calls, besides plash_syscall() (shim/engine/engine.h). Called by
// sysdeps/.../dl-plash.c, where each name begins with "__plash_engine_" instead of "plash_": what a
// C library defines must not get in its users' way.
#pragma once

extern "C" {

// plash_setup(), and the door's hooks. To be called once, before the other functions; see there.
void plash_set_up(char **envp, bool secure) noexcept;

// A call that may wait, and what was found out before it; as in sysdeps/.../plash-syscall.h.
struct plash_wait {
  long number;
  long arguments[6];
  unsigned room;  // for the name of a socket, where the call gives one
};

// Whether the kernel, and not the server, is to wait for this call: then the caller makes the
// system call itself, so that it can be cancelled in the middle, and gives the result to
// plash_end_wait(). Without a server that is so for every call. Async-signal-safe, both.
bool plash_begin_wait(plash_wait *wait) noexcept;

// The result of the emulated call, of the kernel's. May call the server.
long plash_end_wait(const plash_wait *wait, long result) noexcept;

}  // extern "C"
