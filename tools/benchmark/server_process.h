// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The project's file server in a process of its own, serving one directory at its own path to any
// number of sandboxes.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "tools/support/unique_fd.h"

namespace plash::benchmark {

class ServerProcess {
 public:
  // Each sandbox has a namespace of its own, with the directory in it. Throws std::system_error.
  ServerProcess(const std::string &directory, int sandboxes);
  ~ServerProcess();
  ServerProcess(const ServerProcess &) = delete;
  ServerProcess &operator=(const ServerProcess &) = delete;

  const std::vector<UniqueFd> &fs_ops() const { return fs_ops_; }
  // An object that answers Echo.
  int echo() const { return echo_.get(); }
  // KiB of anonymous memory in use: heap and stacks, not code, nor what the kernel holds.
  double memory() const;

 private:
  pid_t process_ = -1;
  UniqueFd channel_;
  UniqueFd echo_;
  std::vector<UniqueFd> fs_ops_;
};

}  // namespace plash::benchmark
