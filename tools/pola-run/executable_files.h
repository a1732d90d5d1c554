// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the kernel must let a sandbox execute by descriptor: what was granted.
#pragma once

#include <vector>

#include "tools/pola-run/grants.h"
#include "tools/support/unique_fd.h"

namespace plash::pola_run {

// O_PATH descriptors (close-on-exec) of the granted files and directories; of the directory, where
// the file itself may be made and replaced. Links are left out, and what cannot be opened.
std::vector<UniqueFd> open_executable_files(const std::vector<PlannedGrant> &grants);

}  // namespace plash::pola_run
