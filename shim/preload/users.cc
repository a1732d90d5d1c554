// SPDX-License-Identifier: LGPL-2.1-or-later
//
// getpwnam(3) and relatives.
#include <pwd.h>
#include <string.h>

#include "shim/preload/accounts.h"

namespace plash::preload {
namespace {

constexpr Database<passwd> users = {"/etc/passwd", fgetpwent_r};
DatabaseState<passwd> state;

auto has_name(const char *name) {
  return [name](const passwd &entry) { return strcmp(entry.pw_name, name) == 0; };
}

auto has_id(uid_t id) {
  return [id](const passwd &entry) { return entry.pw_uid == id; };
}

}  // namespace

PLASH_EXPORT(int, getpwnam_r, const char *name, passwd *entry, char *buffer, size_t size,
             passwd **result) {
  if (auto *real = without_server<decltype(getpwnam_r)>("getpwnam_r")) {
    return real(name, entry, buffer, size, result);
  }
  return find_entry(users, has_name(name), entry, buffer, size, result);
}

PLASH_EXPORT(int, getpwuid_r, uid_t id, passwd *entry, char *buffer, size_t size, passwd **result) {
  if (auto *real = without_server<decltype(getpwuid_r)>("getpwuid_r")) {
    return real(id, entry, buffer, size, result);
  }
  return find_entry(users, has_id(id), entry, buffer, size, result);
}

PLASH_EXPORT(passwd *, getpwnam, const char *name) {
  if (auto *real = without_server<decltype(getpwnam)>("getpwnam")) return real(name);
  return find_entry(users, state, has_name(name));
}

PLASH_EXPORT(passwd *, getpwuid, uid_t id) {
  if (auto *real = without_server<decltype(getpwuid)>("getpwuid")) return real(id);
  return find_entry(users, state, has_id(id));
}

PLASH_EXPORT(int, getpwent_r, passwd *entry, char *buffer, size_t size, passwd **result) {
  if (auto *real = without_server<decltype(getpwent_r)>("getpwent_r")) {
    return real(entry, buffer, size, result);
  }
  pthread_mutex_lock(&state.lock);
  const int error = next_entry(users, state, entry, buffer, size, result);
  pthread_mutex_unlock(&state.lock);
  return error;
}

PLASH_EXPORT(passwd *, getpwent, void) {
  if (auto *real = without_server<decltype(getpwent)>("getpwent")) return real();
  return next_entry(users, state);
}

PLASH_EXPORT(void, setpwent, void) {
  if (auto *real = without_server<decltype(setpwent)>("setpwent")) return real();
  rewind_entries(state);
}

PLASH_EXPORT(void, endpwent, void) {
  if (auto *real = without_server<decltype(endpwent)>("endpwent")) return real();
  rewind_entries(state);
}

// Obsolete: the entry as a line of the file.
PLASH_EXPORT(int, getpw, uid_t id, char *line) {
  if (line == nullptr) return fail(EINVAL);
  passwd entry;
  passwd *result;
  char buffer[4096];
  const int error = wrapped_getpwuid_r(id, &entry, buffer, sizeof buffer, &result);
  if (error != 0) return fail(error);
  if (result == nullptr) return fail(ENOENT);
  sprintf(line, "%s:%s:%u:%u:%s:%s:%s", entry.pw_name, entry.pw_passwd, entry.pw_uid, entry.pw_gid,
          entry.pw_gecos, entry.pw_dir, entry.pw_shell);
  return 0;
}

}  // namespace plash::preload
