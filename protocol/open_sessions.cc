// SPDX-License-Identifier: LGPL-2.1-or-later
#include <asm/unistd_64.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/mman.h>

#include "protocol/session.h"
#include "protocol/session_slots.h"
#include "protocol/system_call.h"

namespace plash {
namespace {

bool shares_memory() noexcept { return system_call(__NR_unshare, CLONE_VM) != 0; }

void discard(SessionSlots *slots) noexcept {
  system_call(__NR_munmap, as_argument(slots), sizeof(SessionSlots));
}

// Memory for the slots, or null. All of them are being prepared, in this process alone.
SessionSlots *make_slots() noexcept {
  const long address = system_call(__NR_mmap, 0, sizeof(SessionSlots), PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address < 0) return nullptr;
  auto *slots = reinterpret_cast<SessionSlots *>(address);
  for (SessionSlot &slot : slots->slot) {
    if (system_call(__NR_madvise, as_argument(&slot), page_size, MADV_WIPEONFORK) != 0) {
      discard(slots);
      return nullptr;
    }
    slot.descriptor = -1;
    slot.message.msg_iov = slot.vector;
    __atomic_store_n(&slot.state, SessionSlot::preparing, __ATOMIC_RELEASE);
  }
  return slots;
}

// Gives a session its number: the next one, or one that is free. Returns it, or a number that is no
// session's.
long move(const Sessions &sessions, int descriptor, std::uint32_t count) noexcept {
  if (sessions.placeholder < 0)
    return system_call(__NR_fcntl, descriptor, F_DUPFD_CLOEXEC, first_session_descriptor);
  return system_call(__NR_dup3, descriptor, first_session_descriptor + static_cast<long>(count),
                     O_CLOEXEC);
}

// Takes the descriptors out of the reply that came with this result of recvmsg(2), moves them to
// their numbers and gives them to the slots. Returns how many there are.
std::uint32_t take_reply(const Sessions &sessions, SessionSlots &slots, long size) noexcept {
  SessionSlot &scratch = slots.slot[0];
  const auto *control = reinterpret_cast<const cmsghdr *>(scratch.control);
  if (size <= 0 || scratch.message.msg_controllen < sizeof(cmsghdr) ||
      control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) {
    return 0;
  }
  const auto *descriptors = reinterpret_cast<const int *>(control + 1);
  const auto received =
      static_cast<std::uint32_t>((control->cmsg_len - sizeof(cmsghdr)) / sizeof(int));
  const PacketHeader &header = scratch.header;
  const bool good = size == static_cast<long>(sizeof header + header.size) &&
                    header.magic == packet_magic && header.version == packet_version &&
                    header.code == code_okay && header.total_size == header.size;
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < received; ++i) {
    const bool wanted = good && count < SessionSlots::count;
    const long number = wanted ? move(sessions, descriptors[i], count) : -EIO;
    internal::close_descriptor(descriptors[i]);
    if (number > last_session_descriptor) {
      internal::close_descriptor(static_cast<int>(number));
    } else if (number >= 0) {
      slots.slot[count++].descriptor = static_cast<int>(number);
    }
  }
  return count;
}

// Asks for sessions with a plain call, which is made in the slots' memory: there is no room for
// call() on the stack below a call. Returns how many there are.
std::uint32_t fill(const Sessions &sessions, SessionSlots &slots) noexcept {
  int pair[2];
  if (system_call(__NR_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, as_argument(pair)) !=
      0) {
    return 0;
  }
  SessionSlot &scratch = slots.slot[0];
  scratch.word = SessionSlots::count;
  scratch.header = PacketHeader{};
  scratch.header.magic = packet_magic;
  scratch.header.version = packet_version;
  scratch.header.code = methods::OpenSessions::code;
  scratch.header.total_size = scratch.header.size = sizeof scratch.word;
  scratch.vector[0] = {&scratch.header, sizeof scratch.header};
  scratch.vector[1] = {&scratch.word, sizeof scratch.word};
  scratch.message.msg_iovlen = 2;
  auto *control = reinterpret_cast<cmsghdr *>(scratch.control);
  *control = {sizeof(cmsghdr) + sizeof(int), SOL_SOCKET, SCM_RIGHTS};
  *reinterpret_cast<int *>(control + 1) = pair[0];
  scratch.message.msg_control = control;
  scratch.message.msg_controllen = control->cmsg_len;
  long result;
  do {
    result = system_call(__NR_sendmsg, sessions.fs_op, as_argument(&scratch.message), MSG_NOSIGNAL);
  } while (result == -EINTR);
  internal::close_descriptor(pair[0]);
  if (result > 0) {
    scratch.message.msg_controllen = SessionSlot::control_size;
    do {
      result = system_call(__NR_recvmsg, pair[1], as_argument(&scratch.message), MSG_CMSG_CLOEXEC);
    } while (result == -EINTR);
  }
  internal::close_descriptor(pair[1]);
  return take_reply(sessions, slots, result);
}

// False where this is not the process any more that began to prepare.
bool publish(Sessions &sessions, SessionSlots &slots, std::uint32_t count) noexcept {
  __atomic_store_n(&sessions.slots, &slots, __ATOMIC_RELEASE);
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint32_t expected = SessionSlot::preparing;
    if (!__atomic_compare_exchange_n(&slots.slot[i].state, &expected, SessionSlot::free, false,
                                     __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
      return false;
    }
  }
  return true;
}

void close_inherited(const Sessions &sessions) noexcept {
  for (int number = first_session_descriptor; number <= last_session_descriptor; ++number) {
    if (!is_session(number)) continue;
    if (sessions.placeholder < 0 || system_call(__NR_dup2, sessions.placeholder, number) < 0)
      internal::close_descriptor(number);
  }
}

void try_to_open(Sessions &sessions) noexcept {
  if (shares_memory()) return;
  SessionSlots *slots = make_slots();
  if (slots == nullptr) return;
  close_inherited(sessions);
  const std::uint32_t count = fill(sessions, *slots);
  // A handler may have run meanwhile: one that left a process behind in this memory without these
  // descriptors, or one that forked, of which this may be the child.
  if (count != 0 && !shares_memory() && publish(sessions, *slots, count)) return;
  close_inherited(sessions);
  if (sessions.slots != slots) discard(slots);
}

}  // namespace

void open_sessions(Sessions &sessions) noexcept {
  std::uint32_t expected = 0;
  if (!__atomic_compare_exchange_n(&sessions.opening, &expected, 1, false, __ATOMIC_ACQUIRE,
                                   __ATOMIC_RELAXED)) {
    return;
  }
  try_to_open(sessions);
  __atomic_store_n(&sessions.opening, 0, __ATOMIC_RELEASE);
}

}  // namespace plash
