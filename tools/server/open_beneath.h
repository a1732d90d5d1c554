// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

namespace plash::server {

// openat2(2) of a path without symlinks and "..", beneath directory; O_CLOEXEC is added. resolve:
// further RESOLVE_ flags. A descriptor, or -errno. Where the kernel does not know openat2 (older
// than Linux 5.6; valgrind 3.19) the same is done name by name, without further flags: -ENOSYS.
int open_beneath(int directory, const char *path, int flags, unsigned mode = 0,
                 std::uint64_t resolve = 0);

// The parent of directory, wherever it may be, O_PATH. resolve: RESOLVE_ flags, without which any
// kernel will do. A descriptor, or -errno.
int open_parent(int directory, std::uint64_t resolve);

}  // namespace plash::server
