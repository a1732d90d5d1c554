// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/isolation.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>

#include "tools/pola-run/error.h"
#include "tools/pola-run/isolation_landlock.h"

namespace plash::pola_run {
namespace {

std::vector<int> borrow(const std::vector<UniqueFd> &owned) {
  std::vector<int> descriptors;
  descriptors.reserve(owned.size());
  for (const UniqueFd &descriptor : owned) descriptors.push_back(descriptor.get());
  return descriptors;
}

// The second wall around files: denies all paths but those that the new root holds for programs to
// be started, and message queues of its own IPC namespace. Not there where the kernel has no
// Landlock.
void deny_paths(const IsolationSettings &settings, const UniqueFd &message_queues) {
  if (landlock_abi() == 0) return;
  std::vector<UniqueFd> shown;
  for (const RootEntry &entry : settings.root) {
    if (entry.kind != RootEntry::Kind::bind) continue;
    shown.emplace_back(::open(entry.path.c_str(), O_PATH | O_CLOEXEC));
    if (!shown.back()) {
      throw Error(ExitStatus::failure, "no isolation: cannot open " + entry.path, errno);
    }
  }
  LandlockRules rules{.readable = borrow(settings.executable)};
  for (const int descriptor : borrow(shown)) rules.readable.push_back(descriptor);
  rules.message_queues = message_queues.get();
  enter_landlock(rules);
}

SandboxMounts isolate_by_namespaces(const IsolationSettings &settings) {
  unshare_namespaces(settings.keep_network);
  SandboxMounts mounts = make_sandbox_mounts();
  const UniqueFd message_queues = make_message_queue_mount();
  if (!settings.keep_network) bring_up_loopback();
  forbid_user_namespaces();
  enter_root(settings.root, settings.ids);
  limit_descriptors();
  drop_capabilities();
  deny_paths(settings, message_queues);
  install_system_call_filter(false);
  return mounts;
}

// The first process is to end whatever is left when the program ends, which here has no PID
// namespace that would: orphans become its children, and its signals reach them alone.
void isolate_by_landlock() {
  const int abi = landlock_abi();
  if (abi < landlock_abi_with_scopes) {
    throw Error(ExitStatus::failure, "no isolation: --isolate=landlock needs Landlock with ABI " +
                                         std::to_string(landlock_abi_with_scopes) +
                                         " (Linux 6.12); " +
                                         (abi == 0 ? "this kernel has none, or it is switched off"
                                                   : "this kernel has ABI " + std::to_string(abi)));
  }
  if (::chdir("/") != 0 || ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    throw Error(ExitStatus::failure, "no isolation: cannot prepare the first process", errno);
  }
  limit_descriptors();
  drop_capabilities();
  confine_signals();
}

}  // namespace

SandboxMounts isolate(const IsolationSettings &settings) {
  switch (settings.kind) {
    case IsolationSettings::Kind::user_namespace:
      return isolate_by_namespaces(settings);
    case IsolationSettings::Kind::landlock:
      isolate_by_landlock();
      break;
  }
  return {};
}

void enter_landlock_sandbox(const IsolationSettings &settings) {
  enter_landlock({.readable = borrow(settings.executable), .deny_tcp = true});
  install_system_call_filter(true);
}

}  // namespace plash::pola_run
