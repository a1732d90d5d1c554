// SPDX-License-Identifier: LGPL-2.1-or-later
//
// memcpy(3) and relatives for the freestanding part: the compiler may emit calls to them, and
// inside libc.so or ld.so the exported ones would be reached through a PLT or through vector code.
// Hidden, so every archive brings its own. Async-signal-safe.
#pragma once

#include <cstddef>

extern "C" {
void *memcpy(void *destination, const void *source, std::size_t size) noexcept;
void *memmove(void *destination, const void *source, std::size_t size) noexcept;
void *memset(void *destination, int byte, std::size_t size) noexcept;
int memcmp(const void *left, const void *right, std::size_t size) noexcept;
std::size_t strlen(const char *string) noexcept;
}
