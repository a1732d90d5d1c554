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

void check_empty() {
  const CapabilitySets held(cap_get_proc(), &cap_free);
  const CapabilitySets none(cap_init(), &cap_free);
  if (!held || !none) fail("cannot read the capabilities");
  errno = 0;
  if (cap_compare(held.get(), none.get()) != 0) fail("a capability is left");
  if (cap_get_mode() != CAP_MODE_NOPRIV) fail("capabilities are not locked");
  for (cap_value_t capability = 0; CAP_IS_SUPPORTED(capability); ++capability) {
    if (cap_get_bound(capability) != 0) fail("the bounding set is not empty");
    if (cap_get_ambient(capability) > 0) fail("the ambient set is not empty");
  }
}

}  // namespace

void drop_capabilities() {
  // Bounding, inheritable, permitted, effective and ambient sets, and securebits that keep user ID
  // 0 from meaning anything at exec.
  if (cap_set_mode(CAP_MODE_NOPRIV) != 0) fail("cannot drop the capabilities");
  check_empty();
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
    fail("cannot set no_new_privs");
  }
}

}  // namespace plash::pola_run
