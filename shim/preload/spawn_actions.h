// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What posix_spawn_file_actions_t holds here. The structure is libc's, opaque to programs; of its
// fields only these are used, with our own list behind the pointer.
#pragma once

#include <spawn.h>
#include <sys/types.h>

namespace plash::preload {

struct SpawnAction {
  enum class Kind { close, open, duplicate, chdir, fchdir, close_from, set_foreground_group };
  Kind kind;
  int fd;       // all but chdir
  int source;   // duplicate
  char *path;   // open, chdir; owned
  int flags;    // open
  mode_t mode;  // open
};

inline const SpawnAction *spawn_actions(const posix_spawn_file_actions_t &actions) noexcept {
  return reinterpret_cast<const SpawnAction *>(actions.__actions);
}

inline int spawn_action_count(const posix_spawn_file_actions_t &actions) noexcept {
  return actions.__used;
}

}  // namespace plash::preload
