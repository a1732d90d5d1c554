// SPDX-License-Identifier: LGPL-2.1-or-later
#include "protocol/call.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "protocol/system_call.h"

namespace plash {
namespace {

constexpr std::uint32_t max_parts = 4;
constexpr std::uint32_t max_crowded_tries = 10;  // a millisecond apart
constexpr std::uint32_t word_size = sizeof(std::uint64_t);
// Room for 4 descriptors: the reply socket and 3 arguments, the most that a method has besides
// DESCRIPTORS.
constexpr std::uint64_t small_control_size = sizeof(cmsghdr) + 4 * sizeof(int);

struct alignas(8) SmallControl {
  char bytes[small_control_size];
};

struct Control {
  char *data;
  std::uint64_t size;
  std::uint32_t room() const noexcept {
    const std::uint64_t count = (size - sizeof(cmsghdr)) / sizeof(int);
    return count < max_packet_descriptors ? static_cast<std::uint32_t>(count)
                                          : max_packet_descriptors;
  }
};

// The errors by which a socket says that nobody is at the other end, and those that only a socket
// which is no object gives.
long object_error(long error) noexcept {
  switch (error) {
    case -EPIPE:
    case -ECONNRESET:
    case -ENOTCONN:
    case -ENOTSOCK:
    case -EMSGSIZE:
    case -EOPNOTSUPP:
      return -EIO;
    default:
      return error;
  }
}

// A request on its way: what of it has been sent.
class Sender {
 public:
  explicit Sender(const Call &message) noexcept : message_(message) {
    total_size_ = std::uint64_t{message.word_count} * word_size;
    for (std::uint32_t i = 0; i < message.part_count; ++i) {
      // The sum of sizes that each pass the limit cannot wrap around.
      if (message.parts[i].size > max_message_size) {
        total_size_ = max_message_size + 1;
        return;
      }
      total_size_ += message.parts[i].size;
    }
    const std::uint64_t many = message.many_descriptors.size;
    total_descriptors_ = many > max_message_descriptors
                             ? max_message_descriptors + 1
                             : message.single_descriptor_count + static_cast<std::uint32_t>(many);
  }

  bool too_large() const noexcept {
    return total_size_ > max_message_size || total_descriptors_ > max_message_descriptors ||
           message_.part_count > max_parts;
  }
  bool done() const noexcept {
    return offset_ == total_size_ && descriptor_offset_ == total_descriptors_;
  }
  bool sends(int descriptor) const noexcept {
    for (std::uint32_t i = 0; i < total_descriptors_; ++i) {
      if (descriptor_at(i) == descriptor) return true;
    }
    return false;
  }

  // Sends the next packet to socket, with reply_socket as its first descriptor unless that is -1. 0
  // or -errno.
  long send_packet(int socket, int reply_socket, Control control) noexcept {
    PacketHeader header{};
    header.magic = packet_magic;
    header.version = packet_version;
    header.code = message_.code;
    header.descriptor_total = static_cast<std::uint16_t>(total_descriptors_);
    header.descriptor_offset = static_cast<std::uint16_t>(descriptor_offset_);
    header.total_size = total_size_;
    header.offset = offset_;
    const std::uint64_t left = total_size_ - offset_;
    header.size = left < max_fragment_size ? static_cast<std::uint32_t>(left) : max_fragment_size;
    iovec vector[2 + max_parts];
    vector[0] = {&header, sizeof header};
    msghdr packet{};
    packet.msg_iov = vector;
    packet.msg_iovlen = 1 + gather(vector + 1, header.size);
    header.descriptor_count = put_descriptors(packet, reply_socket, control);
    const long result = send_whole(socket, packet);
    if (result < 0) return result;
    offset_ += header.size;
    descriptor_offset_ += header.descriptor_count;
    return 0;
  }

 private:
  int descriptor_at(std::uint32_t index) const noexcept {
    return index < message_.single_descriptor_count
               ? message_.single_descriptors[index]
               : message_.many_descriptors.data[index - message_.single_descriptor_count];
  }

  // Fills vector with the next size bytes of the payload; returns the number of entries.
  std::uint32_t gather(iovec *vector, std::uint64_t size) const noexcept {
    std::uint32_t count = 0;
    std::uint64_t skip = offset_;
    for (std::uint32_t i = 0; i <= message_.part_count && size != 0; ++i) {
      const Bytes part = i == 0 ? Bytes{reinterpret_cast<const char *>(message_.words),
                                        std::uint64_t{message_.word_count} * word_size}
                                : message_.parts[i - 1];
      if (skip >= part.size) {
        skip -= part.size;
        continue;
      }
      const std::uint64_t available = part.size - skip;
      const std::uint64_t taken = available < size ? available : size;
      vector[count++] = {const_cast<char *>(part.data + skip), taken};
      size -= taken;
      skip = 0;
    }
    return count;
  }

  std::uint16_t put_descriptors(msghdr &packet, int reply_socket, Control control) const noexcept {
    const std::uint32_t extra = reply_socket >= 0 ? 1 : 0;
    const std::uint32_t room = control.room() - extra;
    const std::uint32_t left = total_descriptors_ - descriptor_offset_;
    const std::uint32_t count = left < room ? left : room;
    if (count + extra == 0) return 0;
    auto *message = reinterpret_cast<cmsghdr *>(control.data);
    message->cmsg_level = SOL_SOCKET;
    message->cmsg_type = SCM_RIGHTS;
    message->cmsg_len = sizeof(cmsghdr) + (count + extra) * sizeof(int);
    auto *descriptors = reinterpret_cast<int *>(message + 1);
    if (extra != 0) *descriptors++ = reply_socket;
    for (std::uint32_t i = 0; i < count; ++i)
      descriptors[i] = descriptor_at(descriptor_offset_ + i);
    packet.msg_control = control.data;
    packet.msg_controllen = message->cmsg_len;
    return static_cast<std::uint16_t>(count);
  }

  static long send_whole(int socket, const msghdr &packet) noexcept {
    std::uint32_t tries = 0;
    for (;;) {
      const long result = system_call(__NR_sendmsg, socket, as_argument(&packet), MSG_NOSIGNAL);
      if (result == -EINTR) continue;  // nothing was sent: a packet goes whole or not at all
      if (result == -ETOOMANYREFS) {
        // More descriptors are on their way, in all processes of the user, than this one's limit
        // allows it to have open. They arrive soon, as a rule.
        if (tries == max_crowded_tries) return -EMFILE;
        ++tries;
        const timespec while_others_arrive{0, 1'000'000};
        system_call(__NR_ppoll, 0, 0, as_argument(&while_others_arrive), 0, 0);
        continue;
      }
      if (result != -EAGAIN) return result < 0 ? result : 0;
      // Somebody who shares the socket made it non-blocking.
      pollfd writable{socket, POLLOUT, 0};
      system_call(__NR_ppoll, as_argument(&writable), 1, 0, 0, 0);
    }
  }

  const Call &message_;
  std::uint64_t total_size_ = 0;
  std::uint64_t offset_ = 0;
  std::uint32_t total_descriptors_ = 0;
  std::uint32_t descriptor_offset_ = 0;
};

// A reply on its way: what of it has arrived.
class Receiver {
 public:
  Receiver(int socket, Call &message, Control control) noexcept
      : message_(message), control_(control), socket_(socket) {}

  // Waits for the whole reply. 0 or -errno; descriptors are closed on error.
  long receive() noexcept {
    long result;
    do {
      result = receive_packet();
    } while (result == more);
    if (result < 0) {
      internal::close_descriptors(message_.reply_descriptors, received_descriptors_);
      received_descriptors_ = 0;
      received_size_ = 0;
    }
    const std::uint64_t fixed = fixed_size();
    message_.reply_tail.size = received_size_ > fixed ? received_size_ - fixed : 0;
    message_.reply_descriptor_count = received_descriptors_;
    return result;
  }

 private:
  static constexpr long more = 1;

  std::uint64_t fixed_size() const noexcept {
    return std::uint64_t{message_.reply_word_count} * word_size;
  }

  long receive_packet() noexcept {
    if (waiting_ && !cancelled_ && message_.wait != nullptr && message_.wait(socket_) == -EINTR)
      cancel();
    PacketHeader header{};
    iovec vector[3];
    msghdr packet{};
    packet.msg_iov = vector;
    vector[0] = {&header, sizeof header};
    packet.msg_iovlen = 1 + scatter(vector + 1);
    packet.msg_control = control_.data;
    packet.msg_controllen = control_.size;
    const long size = system_call(__NR_recvmsg, socket_, as_argument(&packet),
                                  message_.close_on_exec ? MSG_CMSG_CLOEXEC : 0);
    if (size == -EINTR) {
      interrupted_ = true;
      if (waiting_) cancel();
      return more;
    }
    // recvmsg(2) may say end of file although the reply is there: it looks at the queue, then at
    // whether the other side has closed, and does not see a reply and a close between the two
    // looks. The second time it cannot miss the reply.
    if (size == 0 && !ended_) {
      ended_ = true;
      return more;
    }
    if (size == 0) return -EIO;
    // The other side closed before it had read all that was sent to it, say a cancellation that
    // came too late. The kernel tells that once, ahead of the reply that is there.
    if (size == -ECONNRESET && !reset_) {
      reset_ = true;
      return more;
    }
    if (size < 0) return object_error(size);
    const long taken = take_descriptors(packet, header);
    if (taken < 0) return taken;
    return accept(header, packet, size);
  }

  std::uint32_t scatter(iovec *vector) const noexcept {
    const Buffer &tail = message_.reply_tail;
    if (received_size_ != 0) {
      const std::uint64_t used = received_size_ - fixed_size();
      vector[0] = {tail.data + used, tail.size - used};
      return 1;
    }
    // An error's one word needs a place whatever the method replies.
    const std::uint64_t words = message_.reply_word_count != 0 ? message_.reply_word_count : 1;
    vector[0] = {message_.reply_words, words * word_size};
    if (tail.size == 0) return 1;
    vector[1] = {tail.data, tail.size};
    return 2;
  }

  // Keeps the packet's descriptors, as far as there is room for them; closes the others.
  long take_descriptors(const msghdr &packet, const PacketHeader &header) noexcept {
    std::uint32_t count = 0;
    std::uint32_t kept = 0;
    const auto *control = reinterpret_cast<const cmsghdr *>(packet.msg_control);
    if (packet.msg_controllen >= sizeof(cmsghdr) && control->cmsg_level == SOL_SOCKET &&
        control->cmsg_type == SCM_RIGHTS) {
      count = static_cast<std::uint32_t>((control->cmsg_len - sizeof(cmsghdr)) / sizeof(int));
      const auto *descriptors = reinterpret_cast<const int *>(control + 1);
      for (std::uint32_t i = 0; i < count; ++i) {
        if (received_descriptors_ < message_.reply_descriptor_count) {
          message_.reply_descriptors[received_descriptors_++] = descriptors[i];
          ++kept;
        } else {
          internal::close_descriptor(descriptors[i]);
        }
      }
    }
    if ((packet.msg_flags & MSG_CTRUNC) != 0) {
      return header.descriptor_count > control_.room() ? -EIO : -EMFILE;
    }
    return kept == count && count == header.descriptor_count ? 0 : -EIO;
  }

  long accept(const PacketHeader &header, const msghdr &packet, long size) noexcept {
    if (static_cast<unsigned long>(size) < sizeof header || (packet.msg_flags & MSG_TRUNC) != 0 ||
        header.magic != packet_magic || header.version != packet_version ||
        static_cast<unsigned long>(size) != sizeof header + header.size ||
        header.offset != received_size_ ||
        header.descriptor_offset + header.descriptor_count != received_descriptors_ ||
        header.total_size < header.offset + header.size ||
        header.descriptor_total < received_descriptors_) {
      return -EIO;
    }
    if (header.code == code_wait) {
      if (header.total_size != 0 || header.descriptor_total != 0 || started_ || waiting_)
        return -EIO;
      waiting_ = true;
      if (interrupted_) cancel();
      return more;
    }
    if (header.code == code_fail) {
      if (header.total_size != word_size || header.size != word_size || started_ ||
          header.descriptor_total != 0) {
        return -EIO;
      }
      const auto error = static_cast<std::int64_t>(message_.reply_words[0]);
      return error >= 1 && error <= max_errno ? -error : -EIO;
    }
    if (header.code != code_okay || header.total_size < fixed_size()) return -EIO;
    // The fields come whole; descriptors may come ahead of them.
    if (header.offset == 0 && header.size != 0 && header.size < fixed_size()) return -EIO;
    // A packet that brings nothing would let the other side keep us here for ever.
    const bool is_empty = header.size == 0 && header.descriptor_count == 0;
    if (is_empty && (started_ || header.total_size != 0 || header.descriptor_total != 0))
      return -EIO;
    if (header.total_size > fixed_size() + message_.reply_tail.size ||
        header.descriptor_total > message_.reply_descriptor_count) {
      return -EIO;
    }
    if (started_ &&
        (header.total_size != total_size_ || header.descriptor_total != total_descriptors_))
      return -EIO;
    started_ = true;
    total_size_ = header.total_size;
    total_descriptors_ = header.descriptor_total;
    received_size_ += header.size;
    return received_size_ == total_size_ && received_descriptors_ == total_descriptors_ ? 0 : more;
  }

  void cancel() noexcept {
    if (cancelled_) return;
    cancelled_ = true;
    PacketHeader header{};
    header.magic = packet_magic;
    header.version = packet_version;
    header.code = code_cancel;
    system_call(__NR_sendto, socket_, as_argument(&header), sizeof header,
                MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0);
  }

  Call &message_;
  Control control_;
  std::uint64_t received_size_ = 0;
  std::uint64_t total_size_ = 0;
  std::uint32_t received_descriptors_ = 0;
  std::uint32_t total_descriptors_ = 0;
  int socket_;
  bool started_ = false;
  bool waiting_ = false;
  bool interrupted_ = false;
  bool cancelled_ = false;
  bool reset_ = false;
  bool ended_ = false;
};

}  // namespace

namespace internal {

void close_descriptor(int descriptor) noexcept { system_call(__NR_close, descriptor); }

void close_descriptors(const int *descriptors, std::uint32_t count) noexcept {
  for (std::uint32_t i = 0; i < count; ++i) close_descriptor(descriptors[i]);
}

}  // namespace internal

long call(int object, Call &message) noexcept {
  Sender sender(message);
  if (sender.too_large()) return -E2BIG;
  SmallControl small;
  const Control control = message.control != nullptr
                              ? Control{message.control, message.control_size}
                              : Control{small.bytes, sizeof small.bytes};

  int pair[2];
  long result =
      system_call(__NR_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, as_argument(pair));
  if (result < 0) return result;
  const int send_end = pair[0];
  const int receive_end = pair[1];
  // A number that named nothing until a moment ago would now name the reply socket.
  if (object == send_end || object == receive_end || sender.sends(send_end) ||
      sender.sends(receive_end)) {
    result = -EBADF;
  } else {
    result = object_error(sender.send_packet(object, send_end, control));
  }
  // First the lower number: the reply's descriptor takes its place, the one that the kernel would
  // have given.
  internal::close_descriptor(send_end);
  if (result == 0) {
    // The rest cannot interleave with other senders here. If the object gave up, its reply says
    // why.
    while (result == 0 && !sender.done()) {
      result = object_error(sender.send_packet(receive_end, -1, control));
    }
    if (result == 0 || result == -EIO) result = Receiver(receive_end, message, control).receive();
  }
  internal::close_descriptor(receive_end);
  return result;
}

}  // namespace plash
