// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "ldso-hooks/loader/trap.h"

namespace plash::loader {

// Serves a trapped call: LOCAL ones here, EMULATED ones in the engine. Async-signal-safe.
void dispatch(Trap &trap) noexcept;

}  // namespace plash::loader
