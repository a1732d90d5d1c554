// SPDX-License-Identifier: LGPL-2.1-or-later
//
// exec: the server resolves the path and its #! lines and answers with the file. A program that
// names one of the interpreters whose place the loader takes in the kernel-visible root goes to the
// kernel by descriptor; any other (static ones, those of other interpreters) is left for the
// loader, executed by descriptor, to map.
#pragma once

#include "ldso-hooks/loader/signals.h"

namespace plash::loader {

// execveat(2) with the signal mask that the new image is to start with. Returns only on failure,
// -errno as the kernel's, with all signals blocked and nothing changed. Async-signal-safe; in
// children of vfork(2) too. Programs of 32-bit interfaces are refused with ENOEXEC and a message.
long execute(int directory, const char *path, char **arguments, char **environment, int flags,
             SignalSet mask) noexcept;

}  // namespace plash::loader
