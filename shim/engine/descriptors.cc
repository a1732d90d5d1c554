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

// close_range(2) of a part without service descriptors; nothing where the part is empty.
long close_part(unsigned first, unsigned last, bool empty, unsigned flags) noexcept {
  return empty ? 0 : system_call(__NR_close_range, first, last, flags);
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
  // The service descriptors in order; one that is missing counts as the other.
  int low = state.fs_op;
  int high = state.cwd >= 0 ? state.cwd : state.fs_op;
  if (low > high) {
    const int other = low;
    low = high;
    high = other;
  }
  const auto lower = static_cast<unsigned>(low);
  const auto higher = static_cast<unsigned>(high);
  const auto within = [&](unsigned from, unsigned to) {
    const unsigned begin = from > first ? from : first;
    const unsigned end = to < last ? to : last;
    return close_part(begin, end, begin > end, flags);
  };
  long result = lower == 0 ? 0 : within(0, lower - 1);
  if (result == 0 && higher > lower + 1) result = within(lower + 1, higher - 1);
  if (result == 0) result = within(higher + 1, ~0u);
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
