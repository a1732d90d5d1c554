// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Packets in and out, on the server's side. Nothing here waits for a client.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "protocol/marshal.h"
#include "protocol/packet.h"
#include "tools/support/unique_fd.h"

namespace plash::server {

// A packet that arrived, its descriptors owned.
struct Packet {
  PacketHeader header{};
  const char *payload = nullptr;  // header.size bytes in the receiver's buffer
  UniqueFd reply_socket;          // what came first with a request, whatever it is
  std::vector<UniqueFd> descriptors;

  // All of them.
  std::vector<UniqueFd> take_descriptors() {
    if (reply_socket) descriptors.push_back(std::move(reply_socket));
    return std::move(descriptors);
  }
};

enum class Received {
  packet,     // well-formed by itself; whether the sequence is right is not known here
  malformed,  // to be dropped; descriptors that came with it are in the packet
  starved,    // well-formed, but the server had no room for all of its descriptors
  nothing,    // no packet is waiting
  closed,     // no packet is waiting and the other end is closed
};

// Receives packets into a buffer of its own.
class Receiver {
 public:
  Receiver() : buffer_(std::make_unique_for_overwrite<char[]>(max_packet_size)) {}
  // wait: until one comes, or the socket's time-out has passed; else Received::nothing at once.
  Received receive(int socket, Packet &packet, bool wait = false) {
    return receive(socket, packet, wait, false);
  }
  // The same of a request's first packet, which brings the reply socket.
  Received receive_request(int socket, Packet &packet, bool wait = false) {
    return receive(socket, packet, wait, true);
  }
  // The calling thread's. What it received last is gone when it is used again.
  static Receiver &of_thread();

 private:
  Received receive(int socket, Packet &packet, bool wait, bool has_reply_socket);

  // Not touched before it is needed: most threads never receive a large packet.
  std::unique_ptr<char[]> buffer_;
};

// What a reply consists of; views of the handler's memory.
struct Outgoing {
  std::uint32_t code = code_okay;
  const std::uint64_t *words = nullptr;
  std::uint32_t word_count = 0;
  const Bytes *parts = nullptr;
  std::uint32_t part_count = 0;
  const int *descriptors = nullptr;
  std::size_t descriptor_count = 0;
  Descriptors more_descriptors{};  // behind those
  std::uint32_t sequence = 0;

  std::uint64_t size() const;
  std::size_t descriptor_total() const { return descriptor_count + more_descriptors.size; }
};

// A message that is being sent in packets: keeps its own copy of what did not go out.
class Sending {
 public:
  enum class Progress { done, blocked, failed };

  // Takes copies of the payload; descriptors are duplicated, so that the original may be closed.
  // Throws std::bad_alloc, std::system_error.
  explicit Sending(const Outgoing &message);

  // Sends as many packets as the socket takes now.
  Progress send(int socket);
  // What it holds, and what of that has not been sent.
  std::size_t bytes() const { return payload_.size(); }
  std::size_t bytes_left() const { return payload_.size() - offset_; }

 private:
  PacketHeader next_header() const;

  std::uint32_t code_;
  std::string payload_;
  std::vector<UniqueFd> descriptors_;
  std::size_t offset_ = 0;
  std::size_t descriptor_offset_ = 0;
};

// Sends a message that fits into one packet. 0 or -errno: -EMSGSIZE where it does not fit, -EAGAIN
// where the queue is full, -ETOOMANYREFS where the kernel has taken no descriptors for 20 ms.
int send_packet(int socket, const Outgoing &message);
// The same for a message with descriptors and a payload, in two packets: the descriptors first, and
// when owned is closed the payload, without which the receiver cannot go on.
int hand_over(int socket, const Outgoing &message, UniqueFd &owned);

// Whether replies may be sent there: to any Unix-domain socket, and of those only SOCK_SEQPACKET
// ones take them. Nothing else is written to.
bool is_unix_socket(int fd);
// Whether it is a Unix-domain SOCK_SEQPACKET socket.
bool is_packet_socket(int fd);

// SO_COOKIE of a socket, 0 for what is none.
std::uint64_t socket_cookie(int fd);

}  // namespace plash::server
