// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The walls that the kernel keeps around a sandbox. Each step has a file of its own
// (isolation_*.cc); every function throws Error (failure) naming what the kernel would not do.
// Unless said otherwise they run in the sandbox's first process, before the program.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "tools/pola-run/isolation_ids.h"
#include "tools/support/unique_fd.h"

namespace plash::pola_run {

// One entry of the file system that the kernel itself shows the sandbox.
struct RootEntry {
  enum class Kind { bind, symlink };
  Kind kind;
  std::string path;    // in the sandbox, absolute
  std::string source;  // bind: a host file or directory, shown read-only; symlink: the target
};

struct IsolationSettings {
  // landlock: where the kernel does not let the caller make namespaces. Landlock is the first wall
  // then, and the system call filter refuses what it leaves open.
  enum class Kind { user_namespace, landlock };
  Kind kind = Kind::user_namespace;
  bool keep_network = false;    // user_namespace
  std::vector<RootEntry> root;  // user_namespace
  IdPlan ids = {};              // user_namespace

  // Host files, and directories for all that is below them (O_PATH will do), which Landlock lets be
  // read and executed by descriptor.
  std::vector<UniqueFd> executable;
};

// As fork(2), into new user and PID namespaces; the child has all capabilities in the former and is
// PID 1 of the latter. To be called while there is one thread. (isolation_namespaces.cc)
pid_t fork_into_namespaces();

// File systems of the sandbox's own that are attached nowhere: their roots are the file server's.
// Invalid where the kernel does not let them be made, as it does for procfs where parts of the
// caller's are hidden (user_namespaces(7)).
struct SandboxMounts {
  UniqueFd processes;  // a procfs of the PID namespace
  UniqueFd terminals;  // a devpts
};

// In new user, PID and mount namespaces, while the host's /proc can still be seen.
// (isolation_mounts.cc)
SandboxMounts make_sandbox_mounts();

// The root of the IPC namespace's POSIX message queues; invalid where the kernel has none. Nobody
// can name anything by it: it is for Landlock, which has to be told that they may be opened.
// (isolation_mounts.cc)
UniqueFd make_message_queue_mount();

// Puts up the walls, in order: all of them for user_namespace; for landlock those that the
// sandbox's first process can stand behind too, and enter_landlock_sandbox() the others. Returns
// what the file server is to show, for user_namespace.
SandboxMounts isolate(const IsolationSettings &settings);

// For landlock, in the process that will be the program: the walls that its parent stays outside
// of, out of reach for it.
void enter_landlock_sandbox(const IsolationSettings &settings);

// New mount, IPC, UTS and, unless kept, network namespaces. (isolation_namespaces.cc)
void unshare_namespaces(bool keep_network);

// Forbids further user namespaces where /proc allows it; the system call filter refuses them
// anyway. To be called while the host's /proc can still be seen. (isolation_namespaces.cc)
void forbid_user_namespaces() noexcept;

// Brings up 127.0.0.1 in a new network namespace. (isolation_network.cc)
void bring_up_loopback();

// Replaces the root by a read-only tmpfs that holds entries alone. What they show is looked up as
// the caller, the rest is done as the user that ids says. (isolation_root.cc)
void enter_root(const std::vector<RootEntry> &entries, const IdPlan &ids);

// The descriptors that a process in the sandbox may have: no fewer than the service descriptors
// need and half of what the server may have, because descriptors in flight are counted per user
// against the sender's limit: a sandbox at its limit must leave the server room to answer.
// (isolation_limits.cc)
void limit_descriptors();

// At least 1024 descriptors, which the service descriptors need. (isolation_limits.cc)
void make_room_for_service_descriptors();

// Empties every capability set and, with CAP_SETPCAP, the bounding set, locks them so (securebits),
// and checks it with libcap; sets no_new_privs. (isolation_capabilities.cc)
void drop_capabilities();

// Refuses the system calls of isolation_seccomp_table.h; without_namespaces: also those that reach
// what namespaces would have hidden, every one with a path among them. Needs no_new_privs.
void install_system_call_filter(bool without_namespaces);

// Raises the server's own limit as far as it goes. (isolation_limits.cc)
void raise_descriptor_limit();

}  // namespace plash::pola_run
