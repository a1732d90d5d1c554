// SPDX-License-Identifier: LGPL-2.1-or-later
//
// --log and --log-file.
#pragma once

#include <functional>
#include <string>

#include "tools/pola-run/isolation.h"
#include "tools/pola-run/options.h"

namespace plash::pola_run {

// What writes a line of the log, from any thread, whole; empty where no log is wanted. A log file
// is appended to. Throws Error (usage) where it cannot be opened.
std::function<void(const std::string &line)> open_log(const Options &options);

// The line that says what the kernel itself shows the sandbox.
std::string describe_root(const std::vector<RootEntry> &entries);

}  // namespace plash::pola_run
