// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The operations of Door::call.
#pragma once

#include <span>

#include "tools/stress/operation.h"

namespace plash::stress {

std::span<const Operation> call_operations() noexcept;

}  // namespace plash::stress
