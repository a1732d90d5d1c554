// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <limits.h>

namespace plash::preload {

// Where the objects of shm_open(3) and sem_open(3) lie.
constexpr char shared_memory_directory[] = "/dev/shm/";

struct SharedMemoryPath {
  char text[NAME_MAX + 16];
};

// /dev/shm/PREFIXNAME; false where name, leading slashes apart, is no file name.
bool make_shared_memory_path(SharedMemoryPath &path, const char *prefix, const char *name) noexcept;

}  // namespace plash::preload
