// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Calls on descriptors as such: the service descriptors behave as if nothing were there.
#include <asm/unistd_64.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>

#include "protocol/system_call.h"
#include "shim/engine/handlers.h"

namespace plash::engine {
namespace {

constexpr long large_file = 0100000;  // O_LARGEFILE as the kernel has it; libc's is 0 on x86-64

// The lowest service descriptor from begin on; beyond all descriptors where there is none.
std::uint64_t next_service(std::uint64_t begin) noexcept {
  std::uint64_t lowest = std::uint64_t{1} << 32;
  const auto consider = [&](int number) {
    if (number < 0) return;
    const auto candidate = static_cast<std::uint64_t>(number);
    if (candidate >= begin && candidate < lowest) lowest = candidate;
  };
  consider(state.fs_op);
  consider(state.cwd);
  for (int number = first_session_descriptor; number <= last_session_descriptor; ++number) {
    if (is_session(number)) consider(number);
  }
  return lowest;
}

}  // namespace

long emulate_close(const Arguments &arguments) noexcept {
  return is_service(arguments[0]) ? -EBADF : call_kernel(__NR_close, arguments);
}

long emulate_dup(const Arguments &arguments) noexcept {
  return is_service(arguments[0]) ? -EBADF : call_kernel(__NR_dup, arguments);
}

long emulate_dup2(const Arguments &arguments) noexcept {
  return is_service(arguments[0]) || is_service(arguments[1]) ? -EBADF
                                                              : call_kernel(__NR_dup2, arguments);
}

long emulate_dup3(const Arguments &arguments) noexcept {
  return is_service(arguments[0]) || is_service(arguments[1]) ? -EBADF
                                                              : call_kernel(__NR_dup3, arguments);
}

long emulate_close_range(const Arguments &arguments) noexcept {
  const unsigned first = arguments.bits(0);
  const unsigned last = arguments.bits(1);
  const unsigned flags = arguments.bits(2);
  if (first > last || (flags & ~unsigned{CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC}) != 0)
    return -EINVAL;
  std::uint64_t begin = first;
  long result = 0;
  while (result == 0 && begin <= last) {
    const std::uint64_t service = next_service(begin);
    const std::uint64_t end = service <= last ? service : std::uint64_t{last} + 1;
    if (end > begin) {
      result = system_call(__NR_close_range, static_cast<long>(begin), static_cast<long>(end - 1),
                           flags);
    }
    begin = end + 1;
  }
  return result;
}

long emulate_fcntl(const Arguments &arguments) noexcept {
  if (is_service(arguments[0])) return -EBADF;
  const long result = call_kernel(__NR_fcntl, arguments);
  if (arguments.number(1) != F_GETFL || result < 0) return result;
  const int tag = directory_tag(arguments[0]);
  if (tag == 0) return result;
  const long directory = (tag & opened_with_directory_flag) != 0 ? O_DIRECTORY : 0;
  if ((tag & opened_for_path) != 0) return O_PATH | directory;
  return O_RDONLY | directory | large_file | (result & O_NONBLOCK);
}

}  // namespace plash::engine
