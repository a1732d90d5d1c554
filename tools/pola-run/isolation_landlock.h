// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Landlock: a wall that a process puts up around itself and all that it will start. It stops the
// opening and changing of files by path, and (ABI 6) signals and abstract Unix-domain sockets to
// what is outside. It does not stop stat(2), chmod(2) and the like, or sockets bound to paths.
// The C library has no functions for it.
#pragma once

#include <vector>

namespace plash::pola_run {

// The ABI that the kernel has; 0: none, or it was switched off.
int landlock_abi() noexcept;

// The first ABI with scopes, which keep signals and abstract sockets inside.
constexpr int landlock_abi_with_scopes = 6;

struct LandlockRules {
  // Borrowed descriptors (O_PATH will do) of files, and of directories for all that is below them:
  // what may be read and executed by path or by descriptor. Nothing else may be done by path.
  std::vector<int> readable;
  int message_queues = -1;  // a directory below which files may be opened in any way, or -1
  bool deny_tcp = false;    // from ABI 4 on
};

// Denies everything that the kernel's ABI knows of but what rules allow. Needs no_new_privs and a
// kernel with Landlock. Throws Error (failure).
void enter_landlock(const LandlockRules &rules);

// From now on signals from here reach this process and what it starts, nothing else; files are not
// affected. Needs no_new_privs and ABI 6. Throws Error (failure).
void confine_signals();

}  // namespace plash::pola_run
