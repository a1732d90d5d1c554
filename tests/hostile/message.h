// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Packets made by hand: what a program sends that keeps to no rule.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/methods.h"
#include "protocol/packet.h"
#include "tests/support/raw_packet.h"
#include "tools/support/unique_fd.h"

namespace plash::hostile {

using testing::header_of;
using testing::packet;

inline Bytes bytes(std::string_view text) { return {text.data(), text.size()}; }

// A message of one packet, and the descriptors that go with it, the reply socket left out.
struct Request {
  std::string bytes;
  std::vector<int> descriptors;
};

template <class M>
Request encode(const typename M::Request &fields) {
  const Encoded<typename M::Request> encoded(fields);
  std::string payload(reinterpret_cast<const char *>(encoded.words),
                      encoded.counts.words * sizeof(std::uint64_t));
  for (std::uint32_t i = 0; i < encoded.counts.parts; ++i)
    payload.append(encoded.parts[i].data, encoded.parts[i].size);
  Request request;
  request.descriptors.assign(encoded.single_descriptors,
                             encoded.single_descriptors + encoded.descriptor_count);
  request.descriptors.insert(request.descriptors.end(), encoded.many.data,
                             encoded.many.data + encoded.many.size);
  request.bytes = packet(header_of(M::code, payload.size(), request.descriptors.size()), payload);
  return request;
}

inline Request directory_path() {
  methods::DirectoryPath::Request fields;
  fields.size = 1'000;
  return encode<methods::DirectoryPath>(fields);
}

struct Pair {
  // Throws std::system_error.
  explicit Pair(int type);
  Pair() : Pair(5 /* SOCK_SEQPACKET */) {}
  UniqueFd send_end;
  UniqueFd receive_end;
};

// sendmsg(2), not waiting. 0 or -errno.
int send(int socket, std::string_view bytes, const std::vector<int> &descriptors = {},
         bool wait = true);

// What came on a reply socket.
struct Reply {
  // "end" (end of file), "nothing" (the time passed), the name of the errno of a Fail, or the code.
  std::string what;
  std::vector<std::uint64_t> words;
  std::string tail;
  std::vector<UniqueFd> descriptors;
};
Reply receive(int socket, int milliseconds = 5'000);

// Sends with a reply socket, and returns the other end of that. Throws std::system_error.
UniqueFd begin(int object, std::string_view bytes, const std::vector<int> &descriptors = {});

}  // namespace plash::hostile
