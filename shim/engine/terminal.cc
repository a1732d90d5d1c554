// SPDX-License-Identifier: LGPL-2.1-or-later
#include "shim/engine/terminal.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "protocol/system_call.h"
#include "shim/engine/location.h"
#include "shim/engine/path_text.h"

namespace plash::engine {
namespace {

constexpr char terminals[] = "/dev/pts/";

long open_path(const Bytes &path, std::uint64_t flags, bool close_on_exec) noexcept {
  methods::Open::Request request;
  request.path = path;
  request.flags = flags;
  methods::Open::Reply reply;
  const long error = ask<methods::Open>(request, reply, {}, close_on_exec);
  return error != 0 ? error : reply.file;
}

// The kernel answers this for the terminal of the caller's session alone.
bool is_of_session(long descriptor) noexcept {
  int session;
  return system_call(__NR_ioctl, descriptor, TIOCGSID, as_argument(&session)) == 0;
}

// The number of the pseudo-terminal that the session has. -ENXIO where it has no terminal; -ENOENT
// where it has another one, or where that cannot be told.
long find_number() noexcept {
  constexpr char name[] = "/proc/self/stat";
  constexpr int fields_before = 4;  // state, parent, group, session; see proc_pid_stat(5)
  const long file = open_path({name, sizeof name - 1}, O_RDONLY | O_CLOEXEC, true);
  if (file < 0) return -ENOENT;
  char text[256];
  const long size = system_call(__NR_read, file, as_argument(text), sizeof text);
  system_call(__NR_close, file);
  // The program's name, in parentheses, may hold any.
  long at = size;
  while (at > 0 && text[at - 1] != ')') --at;
  if (at <= 0) return -ENOENT;
  for (int spaces = 0; at < size && spaces <= fields_before; ++at) spaces += text[at] == ' ';
  int device;
  Bytes rest;
  if (!take_number({text + at, static_cast<std::uint64_t>(size - at)}, device, rest))
    return -ENOENT;
  if (device == 0) return -ENXIO;
  constexpr int pseudo_terminals = 136;  // UNIX98_PTY_SLAVE_MAJOR
  const auto bits = static_cast<unsigned>(device);
  if (((bits >> 8) & 0xfff) != pseudo_terminals) return -ENOENT;
  return static_cast<long>((bits & 0xff) | ((bits >> 12) & 0xfff00));
}

}  // namespace

void take_terminal(int descriptor, const Bytes &path, std::uint64_t flags) noexcept {
  Bytes rest;
  int number;
  if ((flags & (O_NOCTTY | O_PATH)) != 0 || (flags & O_ACCMODE) == O_WRONLY ||
      !take_start(path, terminals, rest) || !take_number(rest, number, rest) || rest.size != 0)
    return;
  // On the kernel's own conditions: a session's leader that has none, a terminal that no session
  // has.
  system_call(__NR_ioctl, descriptor, TIOCSCTTY, 0);
}

long own_terminal(long opened, std::uint64_t flags) noexcept {
  if ((opened < 0 && opened != -ENXIO) || (flags & O_PATH) != 0) return opened;
  if (opened >= 0 && is_of_session(opened)) return opened;
  const long number = find_number();
  long result = number == -ENXIO ? number : opened;
  if (number >= 0) {
    char path[sizeof terminals + 10];
    constexpr std::uint64_t start = sizeof terminals - 1;
    memcpy(path, terminals, start);
    std::uint64_t digits = 1;
    for (long left = number; left >= 10; left /= 10) ++digits;
    long left = number;
    for (std::uint64_t i = digits; i-- > 0; left /= 10)
      path[start + i] = static_cast<char>('0' + left % 10);
    const long found =
        open_path({path, start + digits}, flags | O_NOCTTY, (flags & O_CLOEXEC) != 0);
    // The number may be of a terminal outside.
    if (found >= 0 && is_of_session(found))
      result = found;
    else if (found >= 0)
      system_call(__NR_close, found);
  }
  if (opened >= 0 && result != opened) system_call(__NR_close, opened);
  return result;
}

}  // namespace plash::engine
