// SPDX-License-Identifier: LGPL-2.1-or-later
#include <asm/unistd_64.h>
#include <errno.h>
#include <poll.h>

#include "protocol/session.h"
#include "protocol/session_slots.h"
#include "protocol/system_call.h"

namespace plash {
namespace {

constexpr long plainly = 1;  // not a result: to be done by the plain call

constexpr std::uint32_t calls_before_opening = 16;

// What a session does not carry: more than a packet, or so many descriptors that they need room of
// the caller's.
bool fits(const Call &message, bool names_object) noexcept {
  std::uint64_t request = std::uint64_t{message.word_count} * sizeof(std::uint64_t);
  for (std::uint32_t i = 0; i < message.part_count; ++i) {
    if (message.parts[i].size > max_fragment_size) return false;
    request += message.parts[i].size;
  }
  const std::uint64_t reply =
      std::uint64_t{message.reply_word_count} * sizeof(std::uint64_t) + message.reply_tail.size;
  return request <= max_fragment_size && message.reply_tail.size <= max_fragment_size &&
         reply <= max_fragment_size && message.control == nullptr &&
         message.reply_descriptor_count <= SessionSlot::max_descriptors &&
         message.many_descriptors.size == 0 &&
         message.single_descriptor_count + (names_object ? 1 : 0) <= SessionSlot::max_descriptors;
}

// The process's sessions, opened when it is time to; null where there are none.
SessionSlots *ready_slots(Sessions &sessions) noexcept {
  SessionSlots *slots = __atomic_load_n(&sessions.slots, __ATOMIC_ACQUIRE);
  if (slots != nullptr && !slots->were_wiped()) return slots;
  std::uint32_t &counter = slots == nullptr ? sessions.call_count : slots->slot[0].call_count;
  const std::uint32_t count = __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
  // Where it does not work, it is tried again now and then.
  if (count < calls_before_opening || (count & (count - 1)) != 0) return nullptr;
  open_sessions(sessions);
  slots = __atomic_load_n(&sessions.slots, __ATOMIC_ACQUIRE);
  return slots != nullptr && !slots->were_wiped() ? slots : nullptr;
}

SessionSlot *claim(SessionSlots &slots) noexcept {
  for (SessionSlot &slot : slots.slot) {
    std::uint32_t expected = SessionSlot::free;
    if (__atomic_load_n(&slot.state, __ATOMIC_RELAXED) == SessionSlot::free &&
        __atomic_compare_exchange_n(&slot.state, &expected, SessionSlot::busy, false,
                                    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
      return &slot;
    }
  }
  return nullptr;
}

// Does nothing in a child, where the slot is nobody's.
void give_back(SessionSlot &slot) noexcept {
  std::uint32_t expected = SessionSlot::busy;
  __atomic_compare_exchange_n(&slot.state, &expected, SessionSlot::free, false, __ATOMIC_RELEASE,
                              __ATOMIC_RELAXED);
}

// One call over a session that was claimed. Afterwards the session is given back, or it stays
// claimed for ever.
class KeptCall {
 public:
  KeptCall(SessionSlot &slot, Call &message) noexcept
      : slot_(slot), message_(message), descriptor_(slot.descriptor) {
    if (++slot.sequence == 0) slot.sequence = 1;
    sequence_ = slot.sequence;
  }

  // object: named in the request; -1 where it is the one that the session belongs to. Returns as
  // call(), or plainly.
  long make(int object) noexcept {
    put_request(object);
    long result;
    do {
      result = system_call(__NR_sendmsg, descriptor_, as_argument(&slot_.message), MSG_NOSIGNAL);
    } while (result == -EINTR);
    if (result < 0) {
      // Nothing was sent. Only a session whose other end is gone is of no use to anybody.
      if (result != -EPIPE && result != -ECONNRESET && result != -ENOTCONN) give_back(slot_);
      return plainly;
    }
    result = receive();
    if (result == lost) {
      if (slot_.was_wiped()) return plainly;
      system_call(__NR_shutdown, descriptor_, SHUT_RDWR);
      return -EIO;
    }
    give_back(slot_);
    if (result < 0) internal::close_descriptors(message_.reply_descriptors, received_descriptors_);
    message_.reply_descriptor_count = result < 0 ? 0 : received_descriptors_;
    return result;
  }

 private:
  static constexpr long more = 3;  // the payload comes in another packet
  static constexpr long lost = 2;  // there will be no reply, or none that could be trusted

  void put_request(int object) noexcept {
    std::uint64_t size = std::uint64_t{message_.word_count} * sizeof(std::uint64_t);
    iovec *vector = slot_.vector;
    vector[0] = {&slot_.header, sizeof slot_.header};
    vector[1] = {const_cast<std::uint64_t *>(message_.words), size};
    for (std::uint32_t i = 0; i < message_.part_count; ++i) {
      vector[2 + i] = {const_cast<char *>(message_.parts[i].data), message_.parts[i].size};
      size += message_.parts[i].size;
    }
    slot_.message.msg_iovlen = 2 + message_.part_count;
    const std::uint16_t count = put_descriptors(object);
    PacketHeader &header = slot_.header;
    header = PacketHeader{};
    header.magic = packet_magic;
    header.version = packet_version;
    header.code = message_.code;
    header.descriptor_count = header.descriptor_total = count;
    header.total_size = size;
    header.size = static_cast<std::uint32_t>(size);
    header.sequence = sequence_;
  }

  std::uint16_t put_descriptors(int object) noexcept {
    std::uint16_t count = 0;
    auto *control = reinterpret_cast<cmsghdr *>(slot_.control);
    auto *descriptors = reinterpret_cast<int *>(control + 1);
    if (object >= 0) descriptors[count++] = object;
    for (std::uint32_t i = 0; i < message_.single_descriptor_count; ++i)
      descriptors[count++] = message_.single_descriptors[i];
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = sizeof(cmsghdr) + count * sizeof(int);
    slot_.message.msg_control = count != 0 ? control : nullptr;
    slot_.message.msg_controllen = count != 0 ? control->cmsg_len : 0;
    return count;
  }

  long receive() noexcept {
    // As in the plain call, end of file counts the second time, and so does a reset.
    int ends_left = 2;
    for (;;) {
      iovec *vector = slot_.vector;
      vector[0] = {&slot_.header, sizeof slot_.header};
      // An error's one word needs a place whatever the method replies.
      const std::uint64_t words = message_.reply_word_count != 0 ? message_.reply_word_count : 1;
      vector[1] = {message_.reply_words, words * sizeof(std::uint64_t)};
      vector[2] = {message_.reply_tail.data, message_.reply_tail.size};
      slot_.message.msg_iovlen = 3;
      slot_.message.msg_control = slot_.control;
      slot_.message.msg_controllen = SessionSlot::control_size;
      const long size = system_call(__NR_recvmsg, descriptor_, as_argument(&slot_.message),
                                    message_.close_on_exec ? MSG_CMSG_CLOEXEC : 0);
      if (size > 0) {
        const long result = accept(size);
        if (result == more) continue;
        return result;
      }
      if (slot_.was_wiped()) return lost;
      if (size == -EAGAIN) {
        // Somebody who shares the socket made it non-blocking.
        pollfd readable{descriptor_, POLLIN, 0};
        system_call(__NR_ppoll, as_argument(&readable), 1, 0, 0, 0);
      } else if (size == 0 || size == -ECONNRESET) {
        if (--ends_left == 0) return lost;
      } else if (size != -EINTR) {
        // The reply was there, and is gone.
        return size == -EFAULT ? size : lost;
      }
    }
  }

  long accept(long size) noexcept {
    const PacketHeader &header = slot_.header;
    const msghdr &packet = slot_.message;
    const std::uint32_t descriptors_before = announced_descriptors_;
    const bool descriptors_fit = take_descriptors();
    announced_descriptors_ = descriptors_before + header.descriptor_count;
    if (static_cast<unsigned long>(size) < sizeof header || (packet.msg_flags & MSG_TRUNC) != 0 ||
        header.magic != packet_magic || header.version != packet_version ||
        header.sequence != sequence_ ||
        static_cast<unsigned long>(size) != sizeof header + header.size || header.offset != 0 ||
        header.descriptor_offset != descriptors_before ||
        header.descriptor_total != descriptors_before + header.descriptor_count) {
      return abandon();
    }
    if ((packet.msg_flags & MSG_CTRUNC) != 0)
      refusal_ = -EMFILE;
    else if (refusal_ == 0 &&
             (!descriptors_fit || header.descriptor_total != received_descriptors_))
      refusal_ = -EIO;
    if (header.size != header.total_size) {
      if (header.size != 0 || header.descriptor_count == 0 || descriptors_before != 0)
        return abandon();
      return more;
    }
    if (refusal_ != 0) return refusal_;
    if (header.code == code_pair)
      return header.size == 0 && received_descriptors_ == 0 ? plainly : -EIO;
    if (header.code == code_fail) {
      if (header.size != sizeof(std::uint64_t) || received_descriptors_ != 0) return -EIO;
      const auto error = static_cast<std::int64_t>(message_.reply_words[0]);
      return error >= 1 && error <= max_errno ? -error : -EIO;
    }
    const std::uint64_t fixed = std::uint64_t{message_.reply_word_count} * sizeof(std::uint64_t);
    if (header.code != code_okay || header.size < fixed ||
        header.size > fixed + message_.reply_tail.size) {
      return -EIO;
    }
    message_.reply_tail.size = header.size - fixed;
    return 0;
  }

  long abandon() noexcept {
    internal::close_descriptors(message_.reply_descriptors, received_descriptors_);
    received_descriptors_ = 0;
    return lost;
  }

  // Keeps the packet's descriptors as far as there is room for them, closes the others. False
  // where there were such.
  bool take_descriptors() noexcept {
    const msghdr &packet = slot_.message;
    const auto *control = reinterpret_cast<const cmsghdr *>(slot_.control);
    if (packet.msg_controllen < sizeof(cmsghdr) || control->cmsg_level != SOL_SOCKET ||
        control->cmsg_type != SCM_RIGHTS) {
      return true;
    }
    const auto count =
        static_cast<std::uint32_t>((control->cmsg_len - sizeof(cmsghdr)) / sizeof(int));
    const auto *descriptors = reinterpret_cast<const int *>(control + 1);
    bool fits = true;
    for (std::uint32_t i = 0; i < count; ++i) {
      fits = received_descriptors_ < message_.reply_descriptor_count;
      if (fits) {
        message_.reply_descriptors[received_descriptors_++] = descriptors[i];
      } else {
        internal::close_descriptor(descriptors[i]);
      }
    }
    return fits;
  }

  SessionSlot &slot_;
  Call &message_;
  int descriptor_;
  std::uint32_t sequence_ = 0;
  std::uint32_t received_descriptors_ = 0;
  std::uint32_t announced_descriptors_ = 0;
  long refusal_ = 0;  // what becomes of the reply although it is sound
};

// On the stack only while it is needed: the plain call needs much itself.
[[gnu::noinline]] long call_over(SessionSlot &slot, int object, Call &message) noexcept {
  const std::uint32_t room = message.reply_descriptor_count;
  const long result = KeptCall(slot, message).make(object);
  if (result == plainly) message.reply_descriptor_count = room;
  return result;
}

}  // namespace

long kept_call(Sessions &sessions, int object, Call &message) noexcept {
  const bool names_object = object != sessions.fs_op;
  if (!sessions.enabled || !fits(message, names_object)) return call(object, message);
  SessionSlots *slots = ready_slots(sessions);
  SessionSlot *slot = slots == nullptr ? nullptr : claim(*slots);
  if (slot == nullptr) return call(object, message);
  const long result = call_over(*slot, names_object ? object : -1, message);
  return result == plainly ? call(object, message) : result;
}

bool is_session(long descriptor) noexcept {
  const int number = static_cast<int>(descriptor);
  if (number < first_session_descriptor || number > last_session_descriptor) return false;
  int tag = 0;
  unsigned size = sizeof tag;
  return system_call(__NR_getsockopt, number, SOL_SOCKET, SO_RCVLOWAT, as_argument(&tag),
                     as_argument(&size)) == 0 &&
         tag == session_tag;
}

}  // namespace plash
