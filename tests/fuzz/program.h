// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a fuzzer's bytes mean to the targets: operations of a client, one after the other.
//   byte 0      what: 0 to 5 a message, others see Operation
//   byte 1      which of the objects that the client holds
//   byte 2      number of descriptors (0 to 7), and a byte each with the kind
//   2 bytes     length, little-endian; the packet, header included
// What is cut off is taken as zeros.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plash::fuzz {

struct Operation {
  enum class What : std::uint8_t {
    call,            // a message whose reply is read
    call_unread,     // whose reply socket is kept
    call_abandoned,  // whose reply socket is closed at once
    call_shared,     // with the reply socket of the last one
    no_reply_socket,
    wrong_reply_socket,  // the first descriptor is taken for it
    more,                // a packet for the last reply socket that was kept
    close_object,
    close_replies,
    copy_object,
    shut_down,
    count,
  };
  What what = What::call;
  std::uint8_t object = 0;
  std::vector<std::uint8_t> descriptors;
  std::string packet;
};

std::vector<Operation> parse(std::string_view bytes);
std::string serialize(const std::vector<Operation> &operations);

// For LLVMFuzzerCustomMutator: operations are added, dropped, doubled, swapped, and their messages
// changed as messages.
std::size_t mutate(std::uint8_t *data, std::size_t size, std::size_t max_size, unsigned seed,
                   std::size_t most_operations);

}  // namespace plash::fuzz
