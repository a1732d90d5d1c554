// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The engine, told what it needs to know in this door.
#pragma once

namespace plash::loader {

// Sets the engine up with the service descriptors and with this door's way of waiting. Of the
// environment (NULL-terminated) PLASH_CALL counts. Once, at start.
void set_up_engine(char *const *environment) noexcept;

// From now on pointers come from the program and may be bad. At the end of start: the check works
// with all signals blocked, as they are in the SIGSYS handler.
void check_pointers() noexcept;

}  // namespace plash::loader
