// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the engine knows about its process. Written by set-up alone, but for the umask: children of
// vfork(2) share this memory with their parents, so nothing that differs between the two may stand
// here.
#pragma once

#include <cstdint>

#include "protocol/marshal.h"
#include "protocol/session.h"

namespace plash::engine {

// What a door can do for the engine that the engine cannot do for itself. Null members: the
// default.
struct Hooks {
  // How to wait for a call that may take long, see Call::wait of protocol/call.h.
  long (*wait)(int reply_socket) = nullptr;
  // Whether the door can start a program: file, found at path, which names this ELF interpreter or
  // none. 0, or -errno for execve(2) to give.
  long (*check_program)(int file, const Bytes &interpreter, const Bytes &path) = nullptr;
  // Whether the program's memory can be read, or written; a call with a bad pointer gives EFAULT,
  // as from the kernel. A door that is entered by function calls leaves these out: asking the
  // kernel would be a sixth system call, and there a bad pointer faults in the caller's own call.
  bool (*readable)(const void *address, unsigned long size) = nullptr;
  bool (*string_readable)(const char *address, unsigned long limit) = nullptr;
  bool (*writable)(void *address, unsigned long size) = nullptr;
};

// The longest PLASH_CAPS, with the name and the NUL.
constexpr unsigned long capabilities_room = 512;

struct State {
  bool ready = false;    // set-up was done
  bool serving = false;  // there is a server; otherwise all calls pass to the kernel
  bool broken = false;   // PLASH_CAPS made no sense: emulated calls fail with ENOSYS
  int fs_op = -1;
  int cwd = -1;
  // Further descriptors that the door keeps to itself: first to last.
  int first_reserved = -1;
  int last_reserved = -2;
  // The entry PLASH_CAPS=... as it was given, which exec puts back: with names that the engine does
  // not know, too.
  char capabilities[capabilities_room] = {};
  unsigned umask = 022;  // accessed with umask_of_process() and follow_umask()
  // The entry LD_PRELOAD=... that exec puts back where the program dropped it; null in doors that
  // need none. Lives as long as the process.
  const char *preload = nullptr;
  Hooks hooks;
  Sessions sessions;
};
extern State state;

// To be called before there are threads. Not async-signal-safe.
void set_hooks(const Hooks &hooks) noexcept;
void set_preload(const char *entry) noexcept;
void set_reserved(int first, int last) noexcept;

// Async-signal-safe, all of them.
unsigned umask_of_process() noexcept;
void follow_umask(unsigned mask) noexcept;
inline bool is_service(long descriptor) noexcept {
  const int number = static_cast<int>(descriptor);
  return number >= 0 &&
         (number == state.fs_op || number == state.cwd ||
          (number >= state.first_reserved && number <= state.last_reserved) || is_session(number));
}

// The value of variable name in envp (NULL-terminated), or null.
const char *find_variable(char *const *envp, const char *name) noexcept;

}  // namespace plash::engine
