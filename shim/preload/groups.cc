// SPDX-License-Identifier: LGPL-2.1-or-later
//
// getgrnam(3) and relatives, getgrouplist(3) and initgroups(3).
#include <grp.h>
#include <string.h>

#include "shim/preload/accounts.h"

namespace plash::preload {
namespace {

constexpr Database<group> groups = {"/etc/group", fgetgrent_r};
DatabaseState<group> state;

auto has_name(const char *name) {
  return [name](const group &entry) { return strcmp(entry.gr_name, name) == 0; };
}

auto has_id(gid_t id) {
  return [id](const group &entry) { return entry.gr_gid == id; };
}

bool has_member(const group &entry, const char *user) noexcept {
  for (char **member = entry.gr_mem; *member != nullptr; ++member) {
    if (strcmp(*member, user) == 0) return true;
  }
  return false;
}

}  // namespace

PLASH_EXPORT(int, getgrnam_r, const char *name, group *entry, char *buffer, size_t size,
             group **result) {
  if (auto *real = without_server<decltype(getgrnam_r)>("getgrnam_r")) {
    return real(name, entry, buffer, size, result);
  }
  return find_entry(groups, has_name(name), entry, buffer, size, result);
}

PLASH_EXPORT(int, getgrgid_r, gid_t id, group *entry, char *buffer, size_t size, group **result) {
  if (auto *real = without_server<decltype(getgrgid_r)>("getgrgid_r")) {
    return real(id, entry, buffer, size, result);
  }
  return find_entry(groups, has_id(id), entry, buffer, size, result);
}

PLASH_EXPORT(group *, getgrnam, const char *name) {
  if (auto *real = without_server<decltype(getgrnam)>("getgrnam")) return real(name);
  return find_entry(groups, state, has_name(name));
}

PLASH_EXPORT(group *, getgrgid, gid_t id) {
  if (auto *real = without_server<decltype(getgrgid)>("getgrgid")) return real(id);
  return find_entry(groups, state, has_id(id));
}

PLASH_EXPORT(int, getgrent_r, group *entry, char *buffer, size_t size, group **result) {
  if (auto *real = without_server<decltype(getgrent_r)>("getgrent_r")) {
    return real(entry, buffer, size, result);
  }
  pthread_mutex_lock(&state.lock);
  const int error = next_entry(groups, state, entry, buffer, size, result);
  pthread_mutex_unlock(&state.lock);
  return error;
}

PLASH_EXPORT(group *, getgrent, void) {
  if (auto *real = without_server<decltype(getgrent)>("getgrent")) return real();
  return next_entry(groups, state);
}

PLASH_EXPORT(void, setgrent, void) {
  if (auto *real = without_server<decltype(setgrent)>("setgrent")) return real();
  rewind_entries(state);
}

PLASH_EXPORT(void, endgrent, void) {
  if (auto *real = without_server<decltype(endgrent)>("endgrent")) return real();
  rewind_entries(state);
}

PLASH_EXPORT(int, getgrouplist, const char *user, gid_t main_group, gid_t *list, int *count) {
  if (auto *real = without_server<decltype(getgrouplist)>("getgrouplist")) {
    return real(user, main_group, list, count);
  }
  const int room = *count;
  int found = 0;
  const auto add = [&](gid_t id) {
    for (int i = 0; i < found && i < room; ++i) {
      if (list[i] == id) return;
    }
    if (found < room) list[found] = id;
    ++found;
  };
  add(main_group);
  // A search that nothing ends walks through all entries.
  DatabaseState<group> own_state;
  find_entry(groups, own_state, [&](const group &entry) {
    if (has_member(entry, user)) add(entry.gr_gid);
    return false;
  });
  free(own_state.buffer);
  *count = found;
  return found <= room ? found : -1;
}

// Where there is a server the process's groups stay as they are: see identity.cc.
PLASH_EXPORT(int, initgroups, const char *user, gid_t main_group) {
  if (auto *real = without_server<decltype(initgroups)>("initgroups")) {
    return real(user, main_group);
  }
  return 0;
}

}  // namespace plash::preload
