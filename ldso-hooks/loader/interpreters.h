// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The names under which the kernel finds the loader in the sandbox's root, where programs name it as their interpreter. The
// launcher makes them (README.md).
#pragma once

#include "protocol/memory.h"

namespace plash::loader {

constexpr const char *loader_paths[] = {
    "/lib64/ld-linux-x86-64.so.2",  // glibc
    "/lib/ld-musl-x86_64.so.1",     // musl
};

inline bool kernel_finds_loader(const char *interpreter, unsigned long size) noexcept {
  for (const char *path : loader_paths) {
    if (strlen(path) == size && memcmp(path, interpreter, size) == 0) return true;
  }
  return false;
}

}  // namespace plash::loader
