// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a packet looks like, and the limits that both sides keep. PROTOCOL.md says what each field
// means.
#pragma once

#include <cstdint>

namespace plash {

// Four letters, in the order in which they stand in memory.
constexpr std::uint32_t code_of(const char (&letters)[5]) {
  return static_cast<std::uint32_t>(static_cast<unsigned char>(letters[0])) |
         static_cast<std::uint32_t>(static_cast<unsigned char>(letters[1])) << 8 |
         static_cast<std::uint32_t>(static_cast<unsigned char>(letters[2])) << 16 |
         static_cast<std::uint32_t>(static_cast<unsigned char>(letters[3])) << 24;
}

struct PacketHeader {
  std::uint32_t magic;              // packet_magic
  std::uint16_t version;            // packet_version
  std::uint16_t descriptor_count;   // in this packet, the reply socket not counted
  std::uint32_t code;               // a method's, or one of the codes below
  std::uint16_t descriptor_total;   // of the whole message
  std::uint16_t descriptor_offset;  // how many came in earlier packets
  std::uint64_t total_size;         // of the whole message's payload, bytes
  std::uint64_t offset;             // of this packet's part in it, bytes
  std::uint32_t size;               // of this packet's part, bytes
  std::uint32_t sequence;           // of a call over a session; 0 elsewhere
};
static_assert(sizeof(PacketHeader) == 40);

constexpr std::uint32_t packet_magic = code_of("Plsh");
constexpr std::uint16_t packet_version = 1;

constexpr std::uint32_t code_okay = code_of("Okay");  // reply: the method's reply fields
constexpr std::uint32_t code_fail = code_of("Fail");  // reply: one word, the errno
constexpr std::uint32_t code_wait = code_of("Wait");  // notice before the reply: this may take long
constexpr std::uint32_t code_cancel =
    code_of("Cncl");  // from the caller, backwards: answer now, or with EINTR
constexpr std::uint32_t code_pair =
    code_of("Pair");  // reply over a session: nothing was done, make this call with a pair

constexpr std::uint64_t max_message_size = std::uint64_t{64}
                                           << 20;        // payload bytes of a whole message
constexpr std::uint32_t max_message_descriptors = 1024;  // of a whole message
constexpr std::uint32_t max_packet_size = 64 * 1024;     // header included
constexpr std::uint32_t max_fragment_size = max_packet_size - sizeof(PacketHeader);
constexpr std::uint32_t max_packet_descriptors = 253;  // SCM_MAX_FD, the reply socket counted
constexpr std::uint32_t max_path_size = 4095;          // PATH_MAX without the NUL
constexpr std::int64_t max_errno = 4095;

// SO_RCVLOWAT of the client's end of a directory object. Sequenced-packet sockets ignore the value,
// anyone who holds the descriptor can read it, and it goes along with dup, fork, exec and
// SCM_RIGHTS.
constexpr int directory_object_tag = 0x6c504469;
// The same of the client's end of a session.
constexpr int session_tag = 0x6c505365;

constexpr std::uint32_t max_sessions_per_call = 4;  // OpenSessions gives no more

// Added to it: how the directory was opened, as fcntl(F_GETFL) is to tell.
constexpr int opened_with_directory_flag = 0x01000000;  // O_DIRECTORY
constexpr int opened_for_path = 0x02000000;             // O_PATH

// And what a holder adds who has got the last records: there are no more, so that nobody needs to
// ask. It counts as long as the position has not been changed. Who is about to do that sets
// SO_BROADCAST, which means nothing here, and nobody takes it back: neither of the two marks can be
// lost where several holders make them at the same time.
constexpr int listed_to_end = 0x10000000;

constexpr bool is_directory_tag(int value) noexcept {
  return (value & ~(opened_with_directory_flag | opened_for_path | listed_to_end)) ==
         directory_object_tag;
}

}  // namespace plash
