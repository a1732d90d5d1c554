// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/hostile/message.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <system_error>

namespace plash::hostile {

Pair::Pair(int type) {
  int pair[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) != 0)
    throw std::system_error(errno, std::generic_category(), "socketpair");
  send_end.reset(pair[0]);
  receive_end.reset(pair[1]);
}

int send(int socket, std::string_view bytes, const std::vector<int> &descriptors, bool wait) {
  int error;
  while ((error = testing::send_packet_to(socket, bytes, descriptors, wait ? 0 : MSG_DONTWAIT)) !=
         0) {
    // Somebody who shares the socket made it non-blocking.
    if (wait && error == -EAGAIN) {
      pollfd writable{socket, POLLOUT, 0};
      ::poll(&writable, 1, 100);
    } else if (error != -EINTR) {
      return error;
    }
  }
  return 0;
}

Reply receive(int socket, int milliseconds) {
  Reply reply;
  pollfd state{socket, POLLIN, 0};
  if (::poll(&state, 1, milliseconds) <= 0) {
    reply.what = "nothing";
    return reply;
  }
  std::vector<char> bytes(max_packet_size);
  alignas(cmsghdr) char control[CMSG_SPACE(max_packet_descriptors * sizeof(int))];
  iovec vector{bytes.data(), bytes.size()};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  // Closed by the server before it had read everything: said once, ahead of what else there is.
  if (size < 0 && errno == ECONNRESET) size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  for (cmsghdr *part = CMSG_FIRSTHDR(&message); size > 0 && part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int descriptor;
      std::memcpy(&descriptor, CMSG_DATA(part) + i * sizeof descriptor, sizeof descriptor);
      reply.descriptors.emplace_back(descriptor);
    }
  }
  PacketHeader header;
  if (size <= 0) {
    reply.what = "end";
  } else if (static_cast<std::size_t>(size) < sizeof header) {
    reply.what = "short";
  } else {
    std::memcpy(&header, bytes.data(), sizeof header);
    const std::string_view payload(bytes.data() + sizeof header,
                                   static_cast<std::size_t>(size) - sizeof header);
    reply.words.resize(payload.size() / sizeof(std::uint64_t));
    if (!reply.words.empty())
      std::memcpy(reply.words.data(), payload.data(), reply.words.size() * sizeof(std::uint64_t));
    reply.tail = payload;
    if (header.code == code_fail && !reply.words.empty()) {
      const char *name = ::strerrorname_np(static_cast<int>(reply.words[0]));
      reply.what = name != nullptr ? name : "errno?";
    } else {
      reply.what.assign(reinterpret_cast<const char *>(&header.code), sizeof header.code);
    }
  }
  return reply;
}

UniqueFd begin(int object, std::string_view bytes, const std::vector<int> &descriptors) {
  Pair reply;
  std::vector<int> all{reply.send_end.get()};
  all.insert(all.end(), descriptors.begin(), descriptors.end());
  int error = send(object, bytes, all);
  // What this user has in flight, for a server that is slow to take it.
  for (int i = 0; i < 1000 && error == -ETOOMANYREFS; ++i) {
    ::usleep(10'000);
    error = send(object, bytes, all);
  }
  if (error != 0) throw std::system_error(-error, std::generic_category(), "sending a request");
  return std::move(reply.receive_end);
}

}  // namespace plash::hostile
