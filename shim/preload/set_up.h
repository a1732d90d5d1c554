// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the shim finds out once, when it is loaded.
#pragma once

namespace plash::preload {

extern bool is_set_up;

// No server: PLASH_CAPS is not in the environment, or the process runs with more rights than its
// caller. All calls are the kernel's then.
extern bool passes_through;

// The IDs that PLASH_FAKE_UID, _EUID, _GID and _EGID give the process; -1 where they are not set.
struct FakeIds {
  long uid = -1;
  long euid = -1;
  long gid = -1;
  long egid = -1;
};
extern FakeIds fake_ids;

// Sets the engine and the above up from the process's environment. Does nothing the second time.
// For wrappers that run before the shim's initialiser: those called by other constructors.
void set_up() noexcept;

}  // namespace plash::preload
