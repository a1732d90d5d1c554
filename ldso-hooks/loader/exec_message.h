// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What an image that execs tells the one that follows: a message waiting in a pipe at
// message_descriptor. Neither the environment nor the arguments carry anything, so that a program
// run by env -i finds what it would natively.
#pragma once

#include <cstdint>

namespace plash::loader {

constexpr unsigned max_exec_path = 4096;  // with the NUL

struct ExecMessage {
  std::uint32_t magic;
  std::uint32_t flags;
  std::uint64_t path_size;   // with the NUL
  char path[max_exec_path];  // AT_EXECFN: the path as the program gave it; its last component
                             // becomes the thread's name
};
constexpr std::uint32_t exec_message_magic = 0x50457863;
constexpr std::uint32_t exec_ignores_sigsys = 1;
constexpr std::uint32_t exec_by_descriptor =
    2;  // no path was given; the kernel names the thread after the file

// Puts a message into place: path_prefix and path are joined. 0 or -errno. Async-signal-safe.
long leave_exec_message(const char *path_prefix, const char *path) noexcept;

// Takes the message that is waiting. False where there is none. Closes message_descriptor.
bool take_exec_message(ExecMessage &message) noexcept;

}  // namespace plash::loader
