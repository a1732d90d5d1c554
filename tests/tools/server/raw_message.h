// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Packets made by hand, for what no well-behaved caller sends.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstring>
#include <string>
#include <vector>

#include "protocol/methods.h"
#include "protocol/packet.h"
#include "tests/tools/server/fixture.h"

namespace plash::testing {

struct SocketPair {
  explicit SocketPair(int type = SOCK_SEQPACKET) {
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) == 0);
    send_end.reset(pair[0]);
    receive_end.reset(pair[1]);
  }
  UniqueFd send_end;
  UniqueFd receive_end;
};

inline PacketHeader header_of(std::uint32_t code, std::size_t size) {
  PacketHeader header{};
  header.magic = packet_magic;
  header.version = packet_version;
  header.code = code;
  header.total_size = size;
  header.size = static_cast<std::uint32_t>(size);
  return header;
}

inline std::string packet(const PacketHeader &header, const std::string &payload = "") {
  return std::string(reinterpret_cast<const char *>(&header), sizeof header) + payload;
}

// 0 or -errno.
inline int send_packet_to(int socket, const std::string &bytes,
                          const std::vector<int> &descriptors = {}) {
  iovec vector{const_cast<char *>(bytes.data()), bytes.size()};
  std::vector<char> control(CMSG_SPACE(descriptors.size() * sizeof(int)));
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
    std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size() * sizeof(int));
  }
  return ::sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

// What comes back on a reply socket: "end" for end of file, "nothing" where the time passes, the
// errno's number of a Fail, or the code.
inline std::string reply_on(int socket, int milliseconds = 3000) {
  pollfd state{socket, POLLIN, 0};
  if (::poll(&state, 1, milliseconds) == 0) return "nothing";
  char bytes[sizeof(PacketHeader) + sizeof(std::uint64_t)];
  ssize_t size = ::recv(socket, bytes, sizeof bytes, 0);
  // The server closed before it had read everything: said once, ahead of what else there is.
  if (size < 0 && errno == ECONNRESET) size = ::recv(socket, bytes, sizeof bytes, 0);
  if (size == 0) return "end";
  if (size < static_cast<ssize_t>(sizeof(PacketHeader))) return "short";
  PacketHeader header;
  std::memcpy(&header, bytes, sizeof header);
  if (header.code != code_fail) return std::string(reinterpret_cast<const char *>(&header.code), 4);
  std::uint64_t error;
  std::memcpy(&error, bytes + sizeof header, sizeof error);
  return std::to_string(error);
}

// Sends a first packet with a reply socket; returns the end that the caller keeps.
inline UniqueFd begin_call(int object, const std::string &bytes,
                           const std::vector<int> &more_descriptors = {}) {
  SocketPair reply;
  std::vector<int> descriptors{reply.send_end.get()};
  descriptors.insert(descriptors.end(), more_descriptors.begin(), more_descriptors.end());
  REQUIRE(send_packet_to(object, bytes, descriptors) == 0);
  return std::move(reply.receive_end);
}

inline std::string answer_to(int object, const std::string &bytes,
                             const std::vector<int> &more_descriptors = {}) {
  return reply_on(begin_call(object, bytes, more_descriptors).get());
}

}  // namespace plash::testing
