// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/glibc/door.h"
#include "ldso-hooks/glibc/program_check.h"
#include "shim/engine/engine.h"
#include "shim/engine/state.h"

extern "C" void plash_set_up(char **envp, bool secure) noexcept {
  plash_setup(envp, secure);
  plash::engine::Hooks hooks;
  hooks.check_program = plash::glibc::check_program;
  plash::engine::set_hooks(hooks);
}
