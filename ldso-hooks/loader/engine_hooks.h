// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The engine, told what it needs to know in this door.
#pragma once

namespace plash::loader {

// Sets the engine up with the service descriptors and with this door's ways of waiting and of checking pointers. Once, at start.
void set_up_engine() noexcept;

}  // namespace plash::loader
