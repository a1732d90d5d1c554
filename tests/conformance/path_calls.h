// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Every system call that takes a path, in the variants that resolve it differently. The families
// path_form, path_length, loop, bad_pointer, base, permission and removed_directory try each of
// them on the same paths.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/conformance/call.h"

namespace plash::conformance {

struct PathCall {
  std::string name;
  // Makes the call; the result, or -1 and errno. base is heeded where takes_base, and else
  // AT_FDCWD.
  std::function<long(Call, int base, const char *path)> make;
  bool takes_base = false;
  bool opens = false;    // the result is a descriptor
  bool address = false;  // the path goes in a sockaddr_un, not by pointer
};

const std::vector<PathCall> &path_calls();

// Makes the call, prints what it came to, and closes the descriptor that it opened or goes back to
// where it left from.
void attempt_path_call(const PathCall &path_call, Call call, int base, const std::string &what,
                       const char *path);

// Adds a case of family for each call (NAME and NAME.raw).
struct PathCallRegistration {
  PathCallRegistration(
      const std::string &family, const std::function<void(const PathCall &, Call)> &run,
      const std::function<bool(const PathCall &)> &wanted = [](const PathCall &) { return true; });
};

}  // namespace plash::conformance
