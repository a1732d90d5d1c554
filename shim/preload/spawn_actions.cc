// SPDX-License-Identifier: LGPL-2.1-or-later
//
// posix_spawn_file_actions_init(3) and relatives: a list of our own, so that nothing depends on how
// libc keeps its.
#include "shim/preload/spawn_actions.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/preload/wrap.h"

namespace plash::preload {
namespace {

using Kind = SpawnAction::Kind;

// Grown by doubling: the room is not the program's to see, so it is a power of two that follows
// from the count.
int append(posix_spawn_file_actions_t *actions, const SpawnAction &action) noexcept {
  const auto count = static_cast<size_t>(actions->__used);
  auto *list = reinterpret_cast<SpawnAction *>(actions->__actions);
  if (actions->__used == actions->__allocated) {
    const size_t room = count == 0 ? 8 : count * 2;
    list = static_cast<SpawnAction *>(reallocarray(list, room, sizeof(SpawnAction)));
    if (list == nullptr) return ENOMEM;
    actions->__actions = reinterpret_cast<__spawn_action *>(list);
    actions->__allocated = static_cast<int>(room);
  }
  list[count] = action;
  ++actions->__used;
  return 0;
}

int append_with_path(posix_spawn_file_actions_t *actions, SpawnAction action,
                     const char *path) noexcept {
  action.path = strdup(path);
  if (action.path == nullptr) return ENOMEM;
  const int error = append(actions, action);
  if (error != 0) free(action.path);
  return error;
}

bool is_possible(int fd) noexcept { return fd >= 0 && fd < sysconf(_SC_OPEN_MAX); }

}  // namespace

PLASH_EXPORT(int, posix_spawn_file_actions_init, posix_spawn_file_actions_t *actions) {
  memset(actions, 0, sizeof *actions);
  return 0;
}

PLASH_EXPORT(int, posix_spawn_file_actions_destroy, posix_spawn_file_actions_t *actions) {
  auto *list = reinterpret_cast<SpawnAction *>(actions->__actions);
  for (int i = 0; i < actions->__used; ++i) free(list[i].path);
  free(list);
  memset(actions, 0, sizeof *actions);
  return 0;
}

PLASH_EXPORT(int, posix_spawn_file_actions_addopen, posix_spawn_file_actions_t *actions, int fd,
             const char *path, int flags, mode_t mode) {
  if (!is_possible(fd)) return EBADF;
  return append_with_path(actions, {Kind::open, fd, -1, nullptr, flags, mode}, path);
}

PLASH_EXPORT(int, posix_spawn_file_actions_addclose, posix_spawn_file_actions_t *actions, int fd) {
  if (!is_possible(fd)) return EBADF;
  return append(actions, {Kind::close, fd, -1, nullptr, 0, 0});
}

PLASH_EXPORT(int, posix_spawn_file_actions_adddup2, posix_spawn_file_actions_t *actions, int fd,
             int new_fd) {
  if (!is_possible(fd) || !is_possible(new_fd)) return EBADF;
  return append(actions, {Kind::duplicate, new_fd, fd, nullptr, 0, 0});
}

PLASH_EXPORT(int, posix_spawn_file_actions_addchdir_np, posix_spawn_file_actions_t *actions,
             const char *path) {
  return append_with_path(actions, {Kind::chdir, -1, -1, nullptr, 0, 0}, path);
}

PLASH_EXPORT(int, posix_spawn_file_actions_addfchdir_np, posix_spawn_file_actions_t *actions,
             int fd) {
  if (!is_possible(fd)) return EBADF;
  return append(actions, {Kind::fchdir, fd, -1, nullptr, 0, 0});
}

PLASH_EXPORT(int, posix_spawn_file_actions_addclosefrom_np, posix_spawn_file_actions_t *actions,
             int first) {
  if (!is_possible(first)) return EBADF;
  return append(actions, {Kind::close_from, first, -1, nullptr, 0, 0});
}

PLASH_EXPORT(int, posix_spawn_file_actions_addtcsetpgrp_np, posix_spawn_file_actions_t *actions,
             int fd) {
  if (!is_possible(fd)) return EBADF;
  return append(actions, {Kind::set_foreground_group, fd, -1, nullptr, 0, 0});
}

}  // namespace plash::preload
