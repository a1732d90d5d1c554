// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The directories of --tmp and --tmpdir, on the host.
#pragma once

#include <string>
#include <vector>

namespace plash::pola_run {

// Owns directories: they are removed with it, with all that was put into them. To be destroyed when
// nothing in the sandbox runs any more.
class TemporaryDirectories {
 public:
  TemporaryDirectories() = default;
  ~TemporaryDirectories();
  TemporaryDirectories(const TemporaryDirectories &) = delete;
  TemporaryDirectories &operator=(const TemporaryDirectories &) = delete;

  // Makes one, for the user alone, in TMPDIR or /tmp. Returns its path. Throws Error (failure).
  std::string make();

 private:
  std::vector<std::string> paths_;
};

}  // namespace plash::pola_run
