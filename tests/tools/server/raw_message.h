// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Packets made by hand, for what no well-behaved caller sends.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <cstring>
#include <string>
#include <vector>

#include "protocol/methods.h"
#include "protocol/packet.h"
#include "tests/support/raw_packet.h"
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
