// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sys/capability.h>
#include <sys/prctl.h>

#include <cerrno>
#include <memory>
#include <string>

#include "tools/pola-run/error.h"
#include "tools/pola-run/isolation.h"

namespace plash::pola_run {
namespace {

using CapabilitySets = std::unique_ptr<std::remove_pointer_t<cap_t>, decltype(&cap_free)>;

[[noreturn]] void fail(const std::string &message) {
  throw Error(ExitStatus::failure, "no isolation: " + message, errno);
}

bool has_capability(cap_value_t capability) {
  const CapabilitySets held(cap_get_proc(), &cap_free);
  cap_flag_value_t value = CAP_CLEAR;
  if (held) cap_get_flag(held.get(), capability, CAP_EFFECTIVE, &value);
  return value == CAP_SET;
}

void check_empty() {
  const CapabilitySets held(cap_get_proc(), &cap_free);
  const CapabilitySets none(cap_init(), &cap_free);
  if (!held || !none) fail("cannot read the capabilities");
  errno = 0;
  if (cap_compare(held.get(), none.get()) != 0) fail("a capability is left");
  for (cap_value_t capability = 0; CAP_IS_SUPPORTED(capability); ++capability) {
    if (cap_get_ambient(capability) > 0) fail("the ambient set is not empty");
  }
}

void check_locked() {
  errno = 0;
  if (cap_get_mode() != CAP_MODE_NOPRIV) fail("capabilities are not locked");
  for (cap_value_t capability = 0; CAP_IS_SUPPORTED(capability); ++capability) {
    if (cap_get_bound(capability) != 0) fail("the bounding set is not empty");
  }
}

// Bounding, inheritable, permitted, effective and ambient sets, and securebits that keep user ID 0
// from meaning anything at exec.
void drop_and_lock() {
  if (cap_set_mode(CAP_MODE_NOPRIV) != 0) fail("cannot drop the capabilities");
  check_locked();
}

// Without CAP_SETPCAP, which an ordinary user has in a user namespace alone: what is held. No new
// privileges come by exec all the same.
void drop_held() {
  const CapabilitySets none(cap_init(), &cap_free);
  if (!none || cap_reset_ambient() != 0 || cap_set_proc(none.get()) != 0) {
    fail("cannot drop the capabilities");
  }
}

}  // namespace

void drop_capabilities() {
  if (has_capability(CAP_SETPCAP)) {
    drop_and_lock();
  } else {
    drop_held();
  }
  check_empty();
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
    fail("cannot set no_new_privs");
  }
}

}  // namespace plash::pola_run
