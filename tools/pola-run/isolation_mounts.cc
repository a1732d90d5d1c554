// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Made in the sandbox's namespaces, but attached nowhere: the kernel shows them to nobody. The file
// server gets their roots.
#include <sys/mount.h>
#include <unistd.h>

#include "tools/pola-run/isolation.h"

namespace plash::pola_run {
namespace {

struct Setting {
  const char *name;
  const char *value;
};

constexpr unsigned plain = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

// Invalid where the kernel does not let it be made.
template <std::size_t count>
UniqueFd make_mount(const char *type, const Setting (&settings)[count], unsigned attributes) {
  const UniqueFd context(::fsopen(type, FSOPEN_CLOEXEC));
  if (!context) return UniqueFd();
  for (const Setting &setting : settings) {
    if (::fsconfig(context.get(), FSCONFIG_SET_STRING, setting.name, setting.value, 0) != 0)
      return UniqueFd();
  }
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return UniqueFd();
  return UniqueFd(::fsmount(context.get(), FSMOUNT_CLOEXEC, attributes));
}

}  // namespace

SandboxMounts make_sandbox_mounts() {
  SandboxMounts mounts;
  mounts.processes = make_mount("proc", {{"source", "proc"}}, plain);
  mounts.terminals = make_mount("devpts", {{"ptmxmode", "0666"}, {"mode", "0620"}},
                                MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  return mounts;
}

UniqueFd make_message_queue_mount() { return make_mount("mqueue", {{"source", "mqueue"}}, plain); }

}  // namespace plash::pola_run
