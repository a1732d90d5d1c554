// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/engine_hooks.h"

#include "ldso-hooks/loader/service_descriptors.h"
#include "ldso-hooks/loader/user_memory.h"
#include "ldso-hooks/loader/wait.h"
#include "shim/engine/engine.h"
#include "shim/engine/state.h"

namespace plash::loader {

void set_up_engine(char *const *program_environment) noexcept {
  engine::Hooks hooks;
  hooks.wait = wait_for_reply;
  engine::set_hooks(hooks);
  engine::set_reserved(first_service_descriptor, last_service_descriptor);
  char capabilities[sizeof service_capabilities];
  __builtin_memcpy(capabilities, service_capabilities, sizeof capabilities);
  constexpr char call_name[] = "PLASH_CALL";
  const char *call = engine::find_variable(program_environment, call_name);
  if (call != nullptr) call -= sizeof call_name;
  char *environment[] = {capabilities, const_cast<char *>(call), nullptr};
  plash_setup(environment, false);
  engine::state.sessions.placeholder = loader_descriptor;
}

void check_pointers() noexcept {
  engine::Hooks hooks = engine::state.hooks;
  hooks.readable = readable;
  hooks.string_readable = string_readable;
  hooks.writable = writable;
  engine::set_hooks(hooks);
}

}  // namespace plash::loader
