// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What can go wrong with a system call of the call path, and what the call must make of it.
#pragma once

#include <span>
#include <string>

#include "tools/stress/board.h"
#include "tools/stress/stepper.h"
#include "tools/stress/subject.h"

namespace plash::stress {

class Fault {
 public:
  enum Kind : std::uint8_t {
    error,       // the system call fails
    always,      // the same, however often it is tried
    late,        // the reply comes after a while
    twice,       // the request is sent twice, so that a second reply comes
    missing,     // end of file instead of the reply
    ended,       // the same, where the other side does not close: whenever it is asked
    truncated,   // MSG_TRUNC
    no_control,  // MSG_CTRUNC: the descriptors of the reply are gone
    shortened,   // the last byte of the reply is missing
    garbled,     // another first byte
  };
  Kind kind;
  std::string name;
  long number;  // of the system call
  int injected;
  int result;  // the errno that the call must give; 0: it must succeed

  // To be called by a visitor, on either side of the system call. Async-signal-safe.
  // again: of a fault that lasts, not for the first time.
  void before(Step &step, const Subject &subject, bool again) const noexcept;
  void after(Step &step, const Subject &subject) const noexcept;

 private:
  bool is_made_nevertheless() const noexcept;
};

// Those that are to be tried on the door.
std::span<const Fault> faults(Door door);

// The same for a call over a connection that is kept (sendmsg and recvmsg alone). What cannot be
// sent is called plainly; a connection whose reply is lost is not used again.
std::span<const Fault> faults_of_kept_calls();

}  // namespace plash::stress
