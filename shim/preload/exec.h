// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

namespace plash::preload {

// execvp(3)'s search: file in $PATH (the caller's, not envp's), or itself where it holds a slash.
// with_shell: a file that the kernel cannot execute is given to /bin/sh. Returns -errno. No
// allocation; async-signal-safe, for vfork children.
long search_and_execute(const char *file, char *const argv[], char *const envp[],
                        bool with_shell) noexcept;

}  // namespace plash::preload
