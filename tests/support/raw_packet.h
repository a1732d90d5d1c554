// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Packets made by hand, for what no well-behaved caller or server sends.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/packet.h"

namespace plash::testing {

// Of a message of one packet.
inline PacketHeader header_of(std::uint32_t code, std::size_t size, std::size_t descriptors = 0) {
  PacketHeader header{};
  header.magic = packet_magic;
  header.version = packet_version;
  header.code = code;
  header.descriptor_count = header.descriptor_total = static_cast<std::uint16_t>(descriptors);
  header.total_size = size;
  header.size = static_cast<std::uint32_t>(size);
  return header;
}

inline std::string packet(const PacketHeader &header, std::string_view payload = "") {
  std::string result(reinterpret_cast<const char *>(&header), sizeof header);
  return result.append(payload);
}

// One sendmsg(2), without SIGPIPE. 0 or -errno.
inline int send_packet_to(int socket, std::string_view bytes,
                          const std::vector<int> &descriptors = {}, int flags = 0) {
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
  return ::sendmsg(socket, &message, MSG_NOSIGNAL | flags) < 0 ? -errno : 0;
}

}  // namespace plash::testing
