// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The kept call: over a connection to the server that the process keeps to itself, two system calls
// instead of five. The plain call (call.h) stays beside it and takes over whatever this one cannot
// do.
#pragma once

#include <cstdint>

#include "protocol/call.h"
#include "protocol/packet.h"

namespace plash {

// Where a process keeps its sessions: within these numbers, or nowhere.
constexpr int first_session_descriptor = 1012;
constexpr int last_session_descriptor = 1015;

struct SessionSlots;

// The sessions of one process. All zero: none, and none is wanted. To be set up before there are
// threads: enabled, fs_op and placeholder.
struct Sessions {
  bool enabled = false;
  int fs_op = -1;                 // the object that sessions are asked of
  int placeholder = -1;           // a copy of it stands at each number above that holds no session;
                                  // -1: the program may have descriptors of its own there
  std::uint32_t call_count = 0;   // calls made before there were sessions
  std::uint32_t opening = 0;      // 1: somebody is opening them
  SessionSlots *slots = nullptr;  // null: not opened yet
};

// Does what call(object, message) does, with the same results: over a session where one is free and
// the message fits, with sendmsg(2) and recvmsg(2) alone; by call() otherwise. A process opens its
// sessions at its 16th call, if it has one thread then.
//
// Lock-free; async-signal-safe, thread-safe, reentrant: a session is claimed by one
// compare-and-swap, and who finds none free makes the plain call. A child of fork(2) never touches
// its parent's sessions, whenever it was forked; one of vfork(2) uses them as a thread does. A call
// that is left by siglongjmp(3) takes its session with it: nobody uses it again.
long kept_call(Sessions &sessions, int object, Call &message) noexcept;

// Whether descriptor is a session, this process's or inherited. One getsockopt(2) for the numbers
// above, nothing for others. Async-signal-safe.
bool is_session(long descriptor) noexcept;

}  // namespace plash
