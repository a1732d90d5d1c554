// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A program in another sandbox of the same server, which only wants to go on: it makes calls,
// checks what comes of each and how long it takes.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "tests/hostile/server_process.h"

namespace plash::hostile {

struct Latency {
  std::uint32_t worst = 0;  // microseconds
  std::uint32_t p99 = 0;
  std::size_t calls = 0;
};

class Bystander {
 public:
  // Throws std::system_error.
  Bystander(const ServerProcess &server, bool other_user);
  ~Bystander();
  Bystander(const Bystander &) = delete;
  Bystander &operator=(const Bystander &) = delete;

  // From now on latencies count as quiet (0) or under attack (1).
  void set_phase(int phase);
  Latency latency(int phase) const;
  // What went wrong first; empty where nothing did. No call for 5 seconds is wrong too.
  std::string wrong() const;
  std::size_t calls() const;

 private:
  struct Board;
  [[noreturn]] static void run(int fs_op, Board &board);

  Board *board_;
  pid_t pid_ = -1;
};

}  // namespace plash::hostile
