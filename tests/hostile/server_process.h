// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A server in a process of its own, with an attacker's sandbox and a bystander's, and what the
// kernel says about it.
#pragma once

#include <sys/types.h>

#include <string>

#include "tests/hostile/case.h"

namespace plash::hostile {

struct Measure {
  long descriptors = 0;
  long resident = 0;  // KiB
  long peak = 0;      // KiB
  long threads = 0;
};

// What /proc says of a process.
Measure measure_of(pid_t pid);

// Whether this was built with AddressSanitizer or runs under valgrind, whose allocators keep what
// was freed.
bool is_instrumented();
// By how much longer everything may take for that.
unsigned patience();

class ServerProcess {
 public:
  // Throws std::system_error.
  ServerProcess(const World &world, const Case &of);
  ~ServerProcess();
  ServerProcess(const ServerProcess &) = delete;
  ServerProcess &operator=(const ServerProcess &) = delete;

  pid_t pid() const { return pid_; }
  Measure measure() const { return measure_of(pid_); }
  // Ends it in order. Whether it did, with nothing left over that a sanitizer would report.
  bool stop();

  UniqueFd attacker;  // fs_op objects' clients' ends
  UniqueFd whole;     // of the host's whole tree
  UniqueFd bystander;

 private:
  [[noreturn]] static void run(const World &world, const Case &of, int control);

  UniqueFd control_;
  pid_t pid_ = -1;
};

// Gives up every capability, and every descriptor but 0 to 2 and those to keep.
void give_up_capabilities();
void close_all_but(std::vector<int> keep);

}  // namespace plash::hostile
