// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The operations that are made of libc's functions, by the file that they stand in.
#pragma once

#include <span>

#include "tools/stress/operation.h"

namespace plash::stress {

std::span<const Operation> libc_file_operations() noexcept;
std::span<const Operation> libc_name_operations() noexcept;
std::span<const Operation> libc_process_operations() noexcept;
std::span<const Operation> libc_locking_operations() noexcept;

}  // namespace plash::stress
