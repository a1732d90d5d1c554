// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Ways out of a sandbox, tried from inside. Each attempt is made in a process of its own, by system
// calls without libc: directly, and, where the loader door is in the process, once more by an
// instruction in the loader, whose system calls its filter lets pass.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace plash::escape {

// What is outside, prepared by escape_test.py. Nothing of it was granted but one file, to be read.
struct Outside {
  std::string granted;    // the file
  std::string directory;  // of what follows
  std::string secret;     // a file
  std::string missing;    // a name in the directory that does not exist
  std::string socket;     // a Unix-domain socket that listens
  std::string datagrams;  // one that takes datagrams
  std::string abstract;   // a name without the leading NUL: one that listens
  std::string queue;      // of POSIX messages
  long process = 0;       // of the same user
  long port = 0;          // of TCP, on 127.0.0.1 and ::1
  long udp_port = 0;
  long key = 0;  // of a System V shared memory segment, semaphores and a message queue
  long shared_memory = 0, semaphores = 0, messages = 0;  // their identifiers
};
extern Outside outside;

// A system call by the current way. The result or -errno.
long call(long number, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0, long a5 = 0,
          long a6 = 0);

// Whether there are two ways (see above).
bool has_loader();
void set_way(bool by_loader);

// Makes an attempt and notes how it ended. action returns -errno where nothing was gained, anything
// else where something was.
void attempt(const char *group, const std::string &name, const std::function<long()> &action);

// Notes that many attempts came to nothing, as one line of the table.
void note(const char *group, const std::string &name, const std::string &outcome, bool gained);

// How a process that runs action ended: action's result, -512 minus the signal that killed it, or
// -ETIME where it was still running after about so many milliseconds.
long run_apart(const std::function<long()> &action, int milliseconds = 1000);
constexpr long killed = -512;

// Prints the table; returns how many attempts gained something.
int print_table();

// A read-only descriptor of the granted file.
int open_granted();

template <class T>
long to_argument(T *pointer) {
  return reinterpret_cast<long>(pointer);
}
inline long to_argument(const std::string &text) { return to_argument(text.c_str()); }

// The groups of attempts, one a file.
void try_paths();
void try_magic_links();
void try_descriptors();
void try_processes();
void try_privileges();
void try_sockets();
void try_communication();
void try_kernel();
void try_every_number();

}  // namespace plash::escape
