// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What this program does when a case executes it: it says how it was started. The first argument,
// or the name of a link to it, tells what to say: show-arguments, show-environment,
// show-descriptors, show-directory, show-name, show-signals.
#pragma once

namespace plash::conformance {

// False where the program was not started for that.
bool show_process(int count, char **arguments);

}  // namespace plash::conformance
