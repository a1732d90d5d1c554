// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pola-run itself, once the sandbox stands: it goes on as a file server, and needs no more than
// that.
#pragma once

namespace plash::pola_run {

// Gives up every capability, for this thread and those that it will start, sets no_new_privs, and
// refuses system calls that a file server has no use for (execve, ptrace, mount, setns, bpf, ...).
// To be called while there is one thread, after everything that needs privileges.
// keep_file_capabilities: but for those that let root act on everybody's files, where they are
// held. Throws Error (failure).
void confine_server(bool keep_file_capabilities);

}  // namespace plash::pola_run
