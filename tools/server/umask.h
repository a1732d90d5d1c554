// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The umask of whoever a file is made for.
#pragma once

#include <cstdint>

namespace plash::server {

// Sets the calling thread's umask, and returns the mode to give to the one system call that comes
// next. Whether the umask counts is for the kernel to say: not where the directory has a default
// ACL. Where the thread can have no umask of its own, the mode returned has it applied.
unsigned mode_under_umask(unsigned mode, std::uint64_t umask) noexcept;

}  // namespace plash::server
