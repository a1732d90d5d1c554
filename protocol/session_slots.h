// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The memory behind a process's sessions, and how a forked child is kept off them.
//
// A child must use its parent's sessions at no time, not even where a signal handler forked amid a
// call and the child goes on with it. No check in the program can rule that out: the fork may come
// between check and system call. So the kernel checks: the message header that both system calls
// are given lies across the border of a page that is wiped in children (MADV_WIPEONFORK), with the
// pointer to its buffers, which is set once when the session is opened, before the border and
// their number, which is not 0, behind it. In a child the kernel finds buffers at address 0 and
// returns EFAULT before it looks at the socket.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>

#include "protocol/packet.h"

namespace plash {

constexpr std::size_t page_size = 4096;

struct SessionSlot {
  enum State : std::uint32_t {
    wiped = 0,  // by fork(2)
    preparing,
    free,
    busy,  // for ever, where the session is not to be used again
  };

  static constexpr std::size_t before_border = offsetof(msghdr, msg_iovlen);
  static constexpr std::uint32_t max_vectors = 7;
  // Descriptors in a packet, either way.
  static constexpr std::uint32_t max_descriptors = 4;
  static constexpr std::size_t control_size = sizeof(cmsghdr) + max_descriptors * sizeof(int);

  // The page that is wiped.
  std::uint32_t state;
  std::uint32_t sequence;    // of the last call
  std::uint32_t call_count;  // calls that a child has made before it had sessions of its own
  char unused[page_size - before_border - 3 * sizeof(std::uint32_t)];
  msghdr message;
  // The page that is not.
  int descriptor;
  std::uint64_t word;
  PacketHeader header;
  iovec vector[max_vectors];
  alignas(8) char control[control_size];
  char unused_too[page_size - (sizeof(msghdr) - before_border) - 16 - sizeof(PacketHeader) -
                  max_vectors * sizeof(iovec) - control_size];

  bool was_wiped() const noexcept {
    return __atomic_load_n(&message.msg_iov, __ATOMIC_RELAXED) == nullptr;
  }
};
static_assert(offsetof(SessionSlot, message) + offsetof(msghdr, msg_iovlen) == page_size);
static_assert(sizeof(SessionSlot) == 2 * page_size);

struct SessionSlots {
  static constexpr std::uint32_t count = max_sessions_per_call;
  SessionSlot slot[count];

  // True in a child of the process that opened them.
  bool were_wiped() const noexcept {
    return __atomic_load_n(&slot[0].state, __ATOMIC_ACQUIRE) == SessionSlot::wiped;
  }
};

// Opens the process's sessions, replacing wiped ones, where that is safe: where nobody shares its
// memory, so that each process which ever will has a copy of their descriptors. Whether that is so
// the kernel says: unshare(CLONE_VM) succeeds if there is nothing to be unshared, and does nothing.
void open_sessions(Sessions &sessions) noexcept;

}  // namespace plash
