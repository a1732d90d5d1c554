// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The user and group databases: /etc/passwd and /etc/group of the namespace, read with libc's
// fgetpwent_r(3) and fgetgrent_r(3) from our own streams. libc's own functions would have its name
// service open the files that the kernel knows. They are used where there is no server.
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "shim/preload/stream.h"
#include "shim/preload/wrap.h"

namespace plash::preload {

// Entry: passwd or group. read_entry: fgetpwent_r(3) or fgetgrent_r(3).
template <class Entry>
struct Database {
  const char *path;
  int (*read_entry)(FILE *, Entry *, char *, size_t, Entry **);
};

// What the functions without _r give out, and getpwent()'s place in the file.
template <class Entry>
struct DatabaseState {
  pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  FILE *stream = nullptr;
  Entry entry = {};
  char *buffer = nullptr;
  size_t size = 0;
};

// The first entry that matches: 0 and *result, 0 and a null *result, or an error number (ERANGE
// where the buffer is too small), as getpwnam_r(3).
template <class Entry, class Match>
int find_entry(const Database<Entry> &database, Match matches, Entry *entry, char *buffer,
               size_t size, Entry **result) {
  *result = nullptr;
  FILE *stream = open_stream(database.path, "re");
  if (stream == nullptr) return errno;
  const int saved = errno;
  int error;
  while ((error = database.read_entry(stream, entry, buffer, size, result)) == 0) {
    if (matches(*entry)) break;
    *result = nullptr;
  }
  fclose(stream);
  if (error == ENOENT) error = 0;  // the end
  if (error == 0) errno = saved;
  return error;
}

// Calls read() with larger and larger buffers, until it does not give ERANGE.
template <class Entry, class Read>
Entry *read_into_state(DatabaseState<Entry> &state, Read read) {
  for (;;) {
    Entry *result = nullptr;
    const int error =
        state.size == 0 ? ERANGE : read(&state.entry, state.buffer, state.size, &result);
    if (error == 0) return result;
    if (error != ERANGE) return fail_null<Entry>(error);
    const size_t size = state.size == 0 ? 1024 : state.size * 2;
    char *buffer = static_cast<char *>(realloc(state.buffer, size));
    if (buffer == nullptr) return nullptr;
    state.buffer = buffer;
    state.size = size;
  }
}

// getpwnam(3) and the like.
template <class Entry, class Match>
Entry *find_entry(const Database<Entry> &database, DatabaseState<Entry> &state, Match matches) {
  pthread_mutex_lock(&state.lock);
  Entry *found =
      read_into_state(state, [&](Entry *entry, char *buffer, size_t size, Entry **result) {
        return find_entry(database, matches, entry, buffer, size, result);
      });
  pthread_mutex_unlock(&state.lock);
  return found;
}

// getpwent_r(3): ENOENT at the end. The lock must be held.
template <class Entry>
int next_entry(const Database<Entry> &database, DatabaseState<Entry> &state, Entry *entry,
               char *buffer, size_t size, Entry **result) {
  *result = nullptr;
  if (state.stream == nullptr) state.stream = open_stream(database.path, "re");
  if (state.stream == nullptr) return errno;
  return database.read_entry(state.stream, entry, buffer, size, result);
}

// getpwent(3).
template <class Entry>
Entry *next_entry(const Database<Entry> &database, DatabaseState<Entry> &state) {
  const int saved = errno;
  pthread_mutex_lock(&state.lock);
  Entry *found =
      read_into_state(state, [&](Entry *entry, char *buffer, size_t size, Entry **result) {
        const int error = next_entry(database, state, entry, buffer, size, result);
        return error == ENOENT ? 0 : error;
      });
  pthread_mutex_unlock(&state.lock);
  if (found != nullptr) errno = saved;
  return found;
}

// setpwent(3) and endpwent(3): the next one is the first again.
template <class Entry>
void rewind_entries(DatabaseState<Entry> &state) {
  pthread_mutex_lock(&state.lock);
  if (state.stream != nullptr) fclose(state.stream);
  state.stream = nullptr;
  pthread_mutex_unlock(&state.lock);
}

// libc's function of this name where there is no server; null where ours is to be used.
template <class F>
F *without_server(const char *name) noexcept {
  if (!is_set_up) set_up();
  return passes_through ? next<F>(name) : nullptr;
}

}  // namespace plash::preload
