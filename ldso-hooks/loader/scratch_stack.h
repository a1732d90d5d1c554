// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A stack for serving a call of a vfork(2) or posix_spawn(3) child. Such a child borrows its
// parent's memory and may run on next to no stack: musl gives it 5 KiB, of which the kernel's
// signal frame alone takes 3.6 with AVX-512.
#pragma once

namespace plash::loader {

// Notes that this process is the one that the image's memory belongs to. Once, at start.
void note_owner() noexcept;

// Whether the calling process only borrows this memory. Async-signal-safe.
bool borrows_memory() noexcept;

// Calls function(argument), on a stack of its own where the calling process only borrows this
// memory. Async-signal-safe.
void call_with_room(void (*function)(void *), void *argument) noexcept;

}  // namespace plash::loader
