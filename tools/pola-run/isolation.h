// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The walls that the kernel keeps around a sandbox. Each step has a file of its own
// (isolation_*.cc); every function throws Error (failure) naming what the kernel would not do.
// All but the first two and the last run in the sandbox's first process, before the program.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace plash::pola_run {

// One entry of the file system that the kernel itself shows the sandbox.
struct RootEntry {
  enum class Kind { bind, symlink };
  Kind kind;
  std::string path;    // in the sandbox, absolute
  std::string source;  // bind: a host file or directory, shown read-only; symlink: the target
};

struct IsolationSettings {
  bool keep_network = false;
  std::vector<RootEntry> root;
};

// As fork(2), into new user and PID namespaces; the child has all capabilities in the former and is
// PID 1 of the latter. To be called while there is one thread. (isolation_namespaces.cc)
pid_t fork_into_namespaces();

// Gives child's user namespace its IDs: to a caller that may (CAP_SETUID, CAP_SETGID), every ID
// that the caller has, unchanged, so that fstat() shows true owners; otherwise the caller's own
// alone. Called in the parent. (isolation_ids.cc)
void map_ids(pid_t child);

// Everything below, in order.
void isolate(const IsolationSettings &settings);

// New mount, IPC, UTS and, unless kept, network namespaces. (isolation_namespaces.cc)
void unshare_namespaces(bool keep_network);

// Forbids further user namespaces where /proc allows it; the system call filter refuses them
// anyway. To be called while the host's /proc can still be seen. (isolation_namespaces.cc)
void forbid_user_namespaces() noexcept;

// Brings up 127.0.0.1 in a new network namespace. (isolation_network.cc)
void bring_up_loopback();

// Replaces the root by a read-only tmpfs that holds entries alone. (isolation_root.cc)
void enter_root(const std::vector<RootEntry> &entries);

// The descriptors that a process in the sandbox may have: no fewer than the service descriptors
// need and half of what the server may have, because descriptors in flight are counted per user
// against the sender's limit: a sandbox at its limit must leave the server room to answer.
// (isolation_limits.cc)
void limit_descriptors();

// At least 1024 descriptors, which the service descriptors need. (isolation_limits.cc)
void make_room_for_service_descriptors();

// Empties every capability set and the bounding set, locks them so (securebits), and checks it with
// libcap; sets no_new_privs. (isolation_capabilities.cc)
void drop_capabilities();

// Refuses the system calls of isolation_seccomp.cc's table. Needs no_new_privs.
void install_system_call_filter();

// Raises the server's own limit as far as it goes. (isolation_limits.cc)
void raise_descriptor_limit();

}  // namespace plash::pola_run
