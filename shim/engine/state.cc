// SPDX-License-Identifier: LGPL-2.1-or-later
#include "shim/engine/state.h"

#include <asm/unistd_64.h>

#include "protocol/memory.h"
#include "protocol/system_call.h"
#include "shim/engine/engine.h"

namespace plash::engine {

State state;

namespace {

constexpr char caps_name[] = "PLASH_CAPS";
constexpr bool sessions_by_default = false;

struct Text {
  const char *begin;
  const char *end;
  bool operator==(const char *other) const noexcept {
    const auto size = static_cast<std::size_t>(end - begin);
    return strlen(other) == size && memcmp(begin, other, size) == 0;
  }
};

// A descriptor's number, or -1 where the text is none.
int parse_number(const Text &text) noexcept {
  constexpr int largest = 1 << 24;
  int number = 0;
  if (text.begin == text.end) return -1;
  for (const char *at = text.begin; at != text.end; ++at) {
    if (*at < '0' || *at > '9' || number > largest) return -1;
    number = number * 10 + (*at - '0');
  }
  return number;
}

void complain(const char *why) noexcept {
  constexpr char start[] = "plash: PLASH_CAPS is malformed, every call will fail: ";
  system_call(__NR_write, 2, as_argument(start), sizeof start - 1);
  system_call(__NR_write, 2, as_argument(why), static_cast<long>(strlen(why)));
  system_call(__NR_write, 2, as_argument("\n"), 1);
}

// Takes one "name=number". False, having said why, where it is none.
bool take_entry(const Text &entry) noexcept {
  const char *equals = entry.begin;
  while (equals != entry.end && *equals != '=') ++equals;
  if (equals == entry.end || equals == entry.begin) {
    complain("an entry is not of the form name=number");
    return false;
  }
  const int number = parse_number({equals + 1, entry.end});
  if (number < 0) {
    complain("what follows a name is not a descriptor's number");
    return false;
  }
  const Text name{entry.begin, equals};
  if (name == "fs_op") state.fs_op = number;
  if (name == "cwd") state.cwd = number;
  return true;
}

bool parse_capabilities(const char *text) noexcept {
  while (*text != '\0') {
    const char *end = text;
    while (*end != '\0' && *end != ';') ++end;
    if (!take_entry({text, end})) return false;
    text = *end == ';' ? end + 1 : end;
  }
  if (state.fs_op < 0) {
    complain("fs_op is missing");
    return false;
  }
  return true;
}

// Keeps the whole entry. False, having said why, where it is too long.
bool keep_capabilities(const char *value) noexcept {
  constexpr std::size_t name_size = sizeof caps_name - 1;
  const std::size_t size = strlen(value);
  if (name_size + 1 + size + 1 > capabilities_room) {
    complain("it is too long");
    return false;
  }
  memcpy(state.capabilities, caps_name, name_size);
  state.capabilities[name_size] = '=';
  memcpy(state.capabilities + name_size + 1, value, size + 1);
  return true;
}

// Which call is made: PLASH_CALL=plain or kept.
bool wants_sessions(char *const *envp) noexcept {
  const char *const wanted = find_variable(envp, "PLASH_CALL");
  if (wanted == nullptr) return sessions_by_default;
  return strlen(wanted) == 4 && memcmp(wanted, "kept", 4) == 0;
}

}  // namespace

void set_hooks(const Hooks &hooks) noexcept { state.hooks = hooks; }

void set_preload(const char *entry) noexcept { state.preload = entry; }

void set_reserved(int first, int last) noexcept {
  state.first_reserved = first;
  state.last_reserved = last;
}

unsigned umask_of_process() noexcept { return __atomic_load_n(&state.umask, __ATOMIC_RELAXED); }

void follow_umask(unsigned mask) noexcept {
  __atomic_store_n(&state.umask, mask & 0777, __ATOMIC_RELAXED);
}

const char *find_variable(char *const *envp, const char *name) noexcept {
  const std::size_t size = strlen(name);
  for (; envp != nullptr && *envp != nullptr; ++envp) {
    std::size_t same = 0;
    while (same < size && (*envp)[same] == name[same]) ++same;
    if (same == size && (*envp)[size] == '=') return *envp + size + 1;
  }
  return nullptr;
}

}  // namespace plash::engine

using namespace plash;

extern "C" __attribute__((visibility("hidden"))) void plash_setup(char **envp,
                                                                  bool secure) noexcept {
  engine::State &state = engine::state;
  if (state.ready) return;
  state.ready = true;
  if (secure) return;
  const char *capabilities = engine::find_variable(envp, engine::caps_name);
  if (capabilities == nullptr) return;
  state.serving = true;
  state.broken =
      !engine::keep_capabilities(capabilities) || !engine::parse_capabilities(capabilities);
  state.sessions.fs_op = state.fs_op;
  state.sessions.enabled = engine::wants_sessions(envp);
  // There is no way to ask for the umask without setting it.
  const long mask = system_call(__NR_umask, 077);
  system_call(__NR_umask, mask);
  engine::follow_umask(static_cast<unsigned>(mask));
}
