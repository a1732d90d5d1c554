// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The descriptors that pola-run was started with: which of them the program gets.
#pragma once

#include <vector>

namespace plash::pola_run {

// Returns the descriptors that the program gets: those of 0 to 2 that are open, and requested.
// Closes all others, and fills gaps below 3, so that none of pola-run's own is taken for standard
// input or output. To be called before pola-run opens any. isolated: refuses a directory, from
// which the kernel itself would open any path. Throws Error (usage) naming a descriptor that is not
// open, or is refused.
std::vector<int> claim_descriptors(const std::vector<int> &requested, bool isolated);

// Lets go of descriptors, but for standard error, once the sandbox has its own copies: the other
// side of a pipe is to see when the program closes it. 0 to 2 become /dev/null.
void release_descriptors(const std::vector<int> &descriptors);

}  // namespace plash::pola_run
