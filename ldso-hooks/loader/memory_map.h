// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the kernel notes about an image's memory, corrected for one that the loader has mapped:
// where brk(2) starts, the bounds in /proc/PID/stat, and /proc/PID/auxv, which debuggers go by.
#pragma once

#include "ldso-hooks/loader/elf_image.h"
#include "ldso-hooks/loader/process_stack.h"

namespace plash::loader {

// image: the program, or null where the kernel has mapped it and only the auxiliary vector is new.
// Does what the kernel lets it (CONFIG_CHECKPOINT_RESTORE); a program whose brk is left where it
// was gets ENOMEM from it sooner and turns to mmap(2).
void note_memory_map(const ProcessStack &stack, const ElfImage *image) noexcept;

}  // namespace plash::loader
