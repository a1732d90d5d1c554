// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The worker: the process, in a sandbox or not, in which a scenario runs.
#pragma once

namespace plash::stress {

// Takes the board from descriptor, runs the scenario that it names and returns the exit status.
int run_worker(int descriptor);

}  // namespace plash::stress
