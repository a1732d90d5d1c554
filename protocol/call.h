// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The call: one message to an object's socket, with a socket for the reply made for it alone.
#pragma once

#include <cstdint>

#include "protocol/methods.h"

namespace plash {

// Memory that a reply's bytes are to go to.
struct Buffer {
  char *data = nullptr;
  std::uint64_t size = 0;
};

// A call's two messages, untyped. call() reads the request and fills in the reply.
struct Call {
  // Request.
  std::uint32_t code = 0;
  std::uint32_t word_count = 0;
  const std::uint64_t *words = nullptr;
  const Bytes *parts = nullptr;  // the tail
  std::uint32_t part_count = 0;  // 4 at most
  std::uint32_t single_descriptor_count = 0;
  const int *single_descriptors = nullptr;
  Descriptors many_descriptors;  // travel behind the single ones

  // Reply.
  std::uint32_t reply_word_count = 0;
  std::uint32_t reply_descriptor_count =
      0;  // in: room; out: how many came. They are the caller's to close
  std::uint64_t *reply_words = nullptr;  // room for reply_word_count, and for one at least
  Buffer reply_tail;                     // in: room; out: size is what came
  int *reply_descriptors = nullptr;
  bool close_on_exec = true;  // of the descriptors in the reply

  // How a wait for a call that the server said may take long is done: returns 0 when reply_socket
  // can be read, -EINTR when a signal was handled. Null: recvmsg(2) itself, whose EINTR counts.
  long (*wait)(int reply_socket) = nullptr;

  // Room for more than 2 descriptors in a packet, either way; null where the messages carry fewer.
  // control_size: max_control_size does for any packet.
  char *control = nullptr;
  std::uint64_t control_size = 0;
};

constexpr std::uint64_t max_control_size = 16 + ((max_packet_descriptors * 4 + 7) & ~7u);

// Sends the request to object and waits for the reply: socketpair(2), sendmsg(2), close(2),
// recvmsg(2), close(2), with more packets where a message does not fit into one. Returns 0, the
// object's own error, or
// * -EIO: the object is gone, its server died, or its reply made no sense
// * -EMFILE, -ENFILE, -ENOMEM, -ENOBUFS: as socketpair(2), sendmsg(2); no room for the reply's
//   descriptors. EMFILE also stands for sendmsg(2)'s ETOOMANYREFS that does not pass within 10 ms:
//   the user has more descriptors on their way than RLIMIT_NOFILE lets this process have
// * -EBADF: a descriptor to be sent is not open
// * -E2BIG: the request is larger than max_message_size or max_message_descriptors
// * -EINTR: the server said that the call may take long, a signal was handled, and the call was not
//   carried out
// A failed call leaves no descriptor open. The descriptors of the request stay the caller's.
// Async-signal-safe, thread-safe, reentrant. (Mark Seaborn, "Using SOCK_SEQPACKET".)
long call(int object, Call &message) noexcept;

// The same, typed: M is one of plash::methods. tail: room for the reply's bytes, to which the
// reply's views point. Descriptors in the reply are the caller's. A reply that does not decode
// gives -EIO, its descriptors closed.
template <class M>
long invoke(int object, const typename M::Request &request, typename M::Reply &reply,
            Buffer tail = {}, bool close_on_exec = true, long (*wait)(int) = nullptr) noexcept;

// The same by another way: send(message) does what call(object, message) does.
template <class M>
long invoke_by(auto &&send, const typename M::Request &request, typename M::Reply &reply,
               Buffer tail, bool close_on_exec, long (*wait)(int)) noexcept;

namespace internal {
void close_descriptor(int descriptor) noexcept;
void close_descriptors(const int *descriptors, std::uint32_t count) noexcept;
}  // namespace internal

template <class M>
inline long invoke(int object, const typename M::Request &request, typename M::Reply &reply,
                   Buffer tail, bool close_on_exec, long (*wait)(int)) noexcept {
  return invoke_by<M>([object](Call &message) noexcept { return call(object, message); }, request,
                      reply, tail, close_on_exec, wait);
}

template <class M>
inline long invoke_by(auto &&send, const typename M::Request &request, typename M::Reply &reply,
                      Buffer tail, bool close_on_exec, long (*wait)(int)) noexcept {
  constexpr FieldCounts reply_counts = count_fields<typename M::Reply>();
  static_assert(!reply_counts.many_descriptors, "use call()");
  const Encoded<typename M::Request> encoded(request);
  std::uint64_t reply_words[reply_counts.words + 1];
  int reply_descriptors[reply_counts.descriptors + 1];
  Call message;
  message.code = M::code;
  message.words = encoded.words;
  message.word_count = encoded.counts.words;
  message.parts = encoded.parts;
  message.part_count = encoded.counts.parts;
  message.single_descriptors = encoded.single_descriptors;
  message.single_descriptor_count = encoded.descriptor_count;
  message.many_descriptors = encoded.many;
  message.reply_words = reply_words;
  message.reply_word_count = reply_counts.words;
  message.reply_tail = tail;
  message.reply_descriptors = reply_descriptors;
  message.reply_descriptor_count = reply_counts.descriptors;
  message.close_on_exec = close_on_exec;
  message.wait = wait;
  const long result = send(message);
  if (result != 0) return result;
  if (!decode(reply, reply_words, tail.data, message.reply_tail.size, reply_descriptors,
              message.reply_descriptor_count)) {
    internal::close_descriptors(reply_descriptors, message.reply_descriptor_count);
    return -5;  // -EIO
  }
  return 0;
}

}  // namespace plash
