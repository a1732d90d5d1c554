// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whether memory of the program can be accessed: where the kernel would answer EFAULT, so must the
// engine. The kernel is asked, a page at a time, by calls that fail for another reason and change
// nothing. Async-signal-safe. Another thread that unmaps the memory meanwhile gets the fault that
// it asked for.
#pragma once

namespace plash::engine {

// Whether size bytes at address can be read.
bool is_readable(const void *address, unsigned long size) noexcept;

// Whether the string at address can be read up to its NUL byte, or as far as limit bytes where
// there is none.
bool is_string_readable(const char *address, unsigned long limit) noexcept;

// Whether size bytes at address can be written. The first and last 8 bytes are overwritten: for
// results, once there is one.
bool is_writable(void *address, unsigned long size) noexcept;

}  // namespace plash::engine
