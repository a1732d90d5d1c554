// SPDX-License-Identifier: LGPL-2.1-or-later
//
// /proc of a sandbox: a procfs of its own PID namespace, of which the server holds the root and the
// sandbox sees what says something about its own processes, and about the machine as any program
// may know it. Read-only. The kernel's magic links are never followed: a descriptor that is
// reopened through one could gain rights that its holder was not given.
#pragma once

#include <sys/types.h>

#include <string>
#include <variant>

#include "tools/server/directory.h"

namespace plash::server {

// Whose call this thread carries out, for as long as the object lives: what /proc/self means.
class CallerOfThread {
 public:
  // reply_socket: of the call, made by the caller, as the kernel has recorded it. -1 for a call
  // over a session, whose caller is not known: any process that shares the session's memory.
  explicit CallerOfThread(int reply_socket) noexcept;
  ~CallerOfThread();
  CallerOfThread(const CallerOfThread &) = delete;
  CallerOfThread &operator=(const CallerOfThread &) = delete;

  // Somebody asked who the caller is, and it is not known: the call has failed for that.
  bool was_missed() const noexcept;

 private:
  int before_;
  bool missed_before_;
};

// Whether a thing in procfs, held by an O_PATH descriptor, may be opened with flags: 0, or -EACCES.
int check_process_file(int file, int flags);

// A link of procfs that leads to what a process has, whatever it says.
bool is_magic_link(int link);

// Where a symlink in procfs leads, link being an O_PATH descriptor of the link itself, in the names
// of the sandbox. directory: what it lies in. -errno: EACCES where it is not told, ENOENT where the
// sandbox has no name for it.
std::variant<std::string, int> process_link(const Directory &directory, int link);

}  // namespace plash::server
