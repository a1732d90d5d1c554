// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What pola-run and the first process of the sandbox say to each other, over a SEQPACKET pair of
// their own that the program never holds.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "tools/support/unique_fd.h"

namespace plash::pola_run {

struct ControlMessage {
  enum class Kind : std::uint32_t {
    // To the sandbox's first process.
    ids_mapped,  // go on
    deliver,     // send signal number to the program, or to its process group
    foreground,  // make the program's process group the terminal's, and continue it
    background,  // take the terminal from it, and continue it
    resume,      // continue the program's process group

    // From it.
    isolated,     // all walls are up
    failed,       // they are not, or the program's own are not: text says why; the sandbox ends
    exec_failed,  // number: the errno with which the program could not be executed
    stopped,      // the program was stopped by signal number
    ended,        // the program ended; number: its wait status
  };

  Kind kind = Kind::ids_mapped;
  int number = 0;
  bool to_group = false;
  bool has_terminal = false;  // of stopped and ended: the sandbox has the terminal
  bool queued = false;        // by sigqueue(3), with value
  int value = 0;
  std::array<bool, 2> has_descriptor = {};  // of isolated: which of its descriptors there are
  char text[512] = {};                      // NUL-terminated; cut off where it is longer

  void set_text(const std::string &message);
};

// Descriptors that go with a message, -1 for one that is missing.
constexpr int control_descriptors = 2;
using ControlDescriptors = std::array<UniqueFd, control_descriptors>;

// Sends; false where the other side is gone. descriptors: null for none.
bool send_control(int socket, const ControlMessage &message,
                  const ControlDescriptors *descriptors = nullptr) noexcept;

// Waits for the next message; false where the other side is gone. descriptors: where those that
// come with it go; null to do without.
bool receive_control(int socket, ControlMessage &message,
                     ControlDescriptors *descriptors = nullptr) noexcept;

}  // namespace plash::pola_run
