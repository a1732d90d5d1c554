// SPDX-License-Identifier: LGPL-2.1-or-later
//
// /proc/self/exe: the program's own file stays open at exe_descriptor, and paths that mean it are
// turned into that descriptor's name, which the engine knows.
#pragma once

namespace plash::loader {

// path, or the descriptor's name where path is one of /proc/self/exe, /proc/thread-self/exe and
// /proc/PID/exe with this process's ID. path: readable. Async-signal-safe.
const char *resolve_own_executable(const char *path) noexcept;

}  // namespace plash::loader
