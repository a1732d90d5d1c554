// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/transport.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "tools/server/death_watch.h"

namespace plash::server {
namespace {

constexpr std::size_t control_size = CMSG_SPACE(max_packet_descriptors * sizeof(int));
constexpr std::uint32_t max_reply_parts = 4;
// Words that are sent in one piece with the header: what nearly every reply has.
constexpr std::uint32_t max_inline_words = 24;
// Where somebody has so many descriptors of this user's in flight that the kernel takes no more for
// now.
constexpr int max_crowded_tries = 10;

void take_descriptors(msghdr &message, Packet &packet, bool has_reply_socket) {
  for (cmsghdr *control = CMSG_FIRSTHDR(&message); control != nullptr;
       control = CMSG_NXTHDR(&message, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    const std::size_t others = count - (has_reply_socket && count != 0 ? 1 : 0);
    packet.descriptors.reserve(packet.descriptors.size() + others);
    for (std::size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(control) + i * sizeof(int), sizeof fd);
      note_argument(fd, !has_reply_socket);
      if (has_reply_socket) {
        packet.reply_socket.reset(fd);
        has_reply_socket = false;
      } else {
        packet.descriptors.emplace_back(fd);
      }
    }
  }
}

bool well_formed(const PacketHeader &header, std::size_t size) {
  return header.magic == packet_magic && header.version == packet_version &&
         size == sizeof header + header.size;
}

// descriptors, and more behind them, go along.
int send_vector(int socket, iovec *vector, std::size_t count, Descriptors descriptors,
                Descriptors more) {
  alignas(cmsghdr) char control[control_size];
  // Sequenced-packet sockets ignore an address. Stream sockets refuse any, datagram sockets one
  // without a path: neither can be written to, and nobody needs to ask which kind it is.
  sockaddr_un nowhere;
  nowhere.sun_family = AF_UNIX;
  msghdr message{};
  message.msg_name = &nowhere;
  message.msg_namelen = sizeof nowhere.sun_family;
  message.msg_iov = vector;
  message.msg_iovlen = count;
  const std::size_t descriptor_count = descriptors.size + more.size;
  if (descriptor_count != 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(descriptor_count * sizeof(int));
    std::memset(control, 0, message.msg_controllen);
    cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptor_count * sizeof(int));
    if (descriptors.size != 0)
      std::memcpy(CMSG_DATA(rights), descriptors.data, descriptors.size * sizeof(int));
    if (more.size != 0)
      std::memcpy(CMSG_DATA(rights) + descriptors.size * sizeof(int), more.data,
                  more.size * sizeof(int));
  }
  int crowded_tries = 0;
  while (::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    if (errno == ETOOMANYREFS && crowded_tries++ < max_crowded_tries) {
      ::usleep(2'000);
    } else if (errno != EINTR) {
      return -errno;
    }
  }
  return 0;
}

bool fits_into_packet(const Outgoing &message) {
  return message.size() <= max_fragment_size &&
         message.descriptor_total() <= max_packet_descriptors &&
         message.part_count <= max_reply_parts;
}

// A packet with a message's descriptors, its payload, or both. What it lacks comes after or has
// come before.
int send_parts(int socket, const Outgoing &message, bool descriptors, bool payload) {
  struct {
    PacketHeader header;
    std::uint64_t words[max_inline_words];
  } start;
  PacketHeader &header = start.header;
  header = {};
  header.magic = packet_magic;
  header.version = packet_version;
  header.code = message.code;
  header.sequence = message.sequence;
  header.descriptor_total = static_cast<std::uint16_t>(message.descriptor_total());
  header.descriptor_count = descriptors ? header.descriptor_total : std::uint16_t{0};
  header.descriptor_offset = descriptors ? std::uint16_t{0} : header.descriptor_total;
  header.total_size = message.size();
  header.size = payload ? static_cast<std::uint32_t>(header.total_size) : 0;
  iovec vector[2 + max_reply_parts];
  std::size_t count = 0;
  vector[count++] = {&start, sizeof header};
  if (payload && message.word_count != 0) {
    const std::size_t size = message.word_count * sizeof(std::uint64_t);
    if (message.word_count <= max_inline_words) {
      std::memcpy(start.words, message.words, size);
      vector[0].iov_len += size;
    } else {
      vector[count++] = {const_cast<std::uint64_t *>(message.words), size};
    }
  }
  for (std::uint32_t i = 0; payload && i < message.part_count; ++i)
    vector[count++] = {const_cast<char *>(message.parts[i].data), message.parts[i].size};
  if (!descriptors) return send_vector(socket, vector, count, {}, {});
  return send_vector(socket, vector, count, {message.descriptors, message.descriptor_count},
                     message.more_descriptors);
}

}  // namespace

Received Receiver::receive(int socket, Packet &packet, bool wait, bool has_reply_socket) {
  alignas(cmsghdr) char control[control_size];
  iovec vector{buffer_.get(), max_packet_size};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  packet.reply_socket.reset();
  packet.descriptors.clear();
  ssize_t size;
  do {
    size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
  } while (size < 0 && errno == EINTR);
  if (size < 0 && errno == EAGAIN) return Received::nothing;
  if (size >= 0) take_descriptors(message, packet, has_reply_socket);
  if (size <= 0) {
    // End of file; or an empty packet that somebody sent to make it look so; or no memory.
    pollfd state{socket, POLLRDHUP, 0};
    if (::poll(&state, 1, 0) == 1) return Received::closed;
    return size == 0 ? Received::malformed : Received::nothing;
  }
  if (static_cast<std::size_t>(size) < sizeof packet.header ||
      (message.msg_flags & MSG_TRUNC) != 0) {
    return Received::malformed;
  }
  std::memcpy(&packet.header, buffer_.get(), sizeof packet.header);
  if (!well_formed(packet.header, static_cast<std::size_t>(size))) return Received::malformed;
  packet.payload = buffer_.get() + sizeof packet.header;
  return (message.msg_flags & MSG_CTRUNC) != 0 ? Received::starved : Received::packet;
}

Receiver &Receiver::of_thread() {
  thread_local Receiver receiver;
  return receiver;
}

std::uint64_t Outgoing::size() const {
  std::uint64_t total = std::uint64_t{word_count} * sizeof(std::uint64_t);
  for (std::uint32_t i = 0; i < part_count; ++i) total += parts[i].size;
  return total;
}

Sending::Sending(const Outgoing &message) : code_(message.code) {
  payload_.reserve(message.size());
  payload_.append(reinterpret_cast<const char *>(message.words),
                  message.word_count * sizeof(std::uint64_t));
  for (std::uint32_t i = 0; i < message.part_count; ++i)
    payload_.append(message.parts[i].data, message.parts[i].size);
  descriptors_.reserve(message.descriptor_total());
  for (std::size_t i = 0; i < message.descriptor_total(); ++i) {
    const std::size_t first = message.descriptor_count;
    const int fd = i < first ? message.descriptors[i] : message.more_descriptors.data[i - first];
    const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) throw std::system_error(errno, std::generic_category(), "dup");
    descriptors_.emplace_back(copy);
  }
}

PacketHeader Sending::next_header() const {
  PacketHeader header{};
  header.magic = packet_magic;
  header.version = packet_version;
  header.code = code_;
  header.descriptor_total = static_cast<std::uint16_t>(descriptors_.size());
  header.descriptor_offset = static_cast<std::uint16_t>(descriptor_offset_);
  header.descriptor_count = static_cast<std::uint16_t>(
      std::min<std::size_t>(descriptors_.size() - descriptor_offset_, max_packet_descriptors));
  header.total_size = payload_.size();
  header.offset = offset_;
  header.size = static_cast<std::uint32_t>(
      std::min<std::size_t>(payload_.size() - offset_, max_fragment_size));
  return header;
}

Sending::Progress Sending::send(int socket) {
  do {
    PacketHeader header = next_header();
    int numbers[max_packet_descriptors];
    for (std::size_t i = 0; i < header.descriptor_count; ++i)
      numbers[i] = descriptors_[descriptor_offset_ + i].get();
    iovec vector[2] = {{&header, sizeof header}, {payload_.data() + offset_, header.size}};
    const int result = send_vector(socket, vector, 2, {numbers, header.descriptor_count}, {});
    if (result == -EAGAIN) return Progress::blocked;
    if (result < 0) return Progress::failed;
    offset_ += header.size;
    descriptor_offset_ += header.descriptor_count;
  } while (offset_ < payload_.size() || descriptor_offset_ < descriptors_.size());
  return Progress::done;
}

int send_packet(int socket, const Outgoing &message) {
  if (!fits_into_packet(message)) return -EMSGSIZE;
  return send_parts(socket, message, true, true);
}

int hand_over(int socket, const Outgoing &message, UniqueFd &owned) {
  if (!fits_into_packet(message)) return -EMSGSIZE;
  const int error = send_parts(socket, message, true, false);
  owned.reset();
  return error != 0 ? error : send_parts(socket, message, false, true);
}

bool is_unix_socket(int fd) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

bool is_packet_socket(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  return is_unix_socket(fd) && ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
         type == SOCK_SEQPACKET;
}

std::uint64_t socket_cookie(int fd) {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  return ::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

}  // namespace plash::server
