// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/descriptor_calls.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <linux/close_range.h>
#include <sys/resource.h>

#include "ldso-hooks/loader/service_descriptors.h"
#include "ldso-hooks/loader/user_memory.h"
#include "protocol/system_call.h"

namespace plash::loader {

long close_range_around_services(const Trap &trap) noexcept {
  const auto first = static_cast<unsigned>(trap.argument(0));
  const auto last = static_cast<unsigned>(trap.argument(1));
  auto flags = static_cast<unsigned>(trap.argument(2));
  if (first > last || (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) != 0) return -EINVAL;
  constexpr auto services_start = static_cast<unsigned>(first_service_descriptor);
  constexpr auto services_last = static_cast<unsigned>(last_service_descriptor);
  if (last < services_start || first > services_last)
    return system_call(__NR_close_range, first, last, flags);
  long result = 0;
  if (first < services_start) {
    result = system_call(__NR_close_range, first, services_start - 1, flags);
    flags &= ~CLOSE_RANGE_UNSHARE;
  }
  if (result == 0 && last > services_last)
    result = system_call(__NR_close_range, services_last + 1, last, flags);
  return result;
}

long set_descriptor_limit(const Trap &trap) noexcept {
  const bool any_process = trap.number() == __NR_prlimit64;
  rlimit wanted;
  if (!copy_in(wanted, trap.pointer<rlimit>(any_process ? 2 : 1))) return -EFAULT;
  if (wanted.rlim_cur > wanted.rlim_max) return -EINVAL;
  if (wanted.rlim_max <= last_service_descriptor) wanted.rlim_max = last_service_descriptor + 1;
  return any_process ? system_call(__NR_prlimit64, trap.argument(0), RLIMIT_NOFILE,
                                   as_argument(&wanted), trap.argument(3))
                     : system_call(__NR_setrlimit, RLIMIT_NOFILE, as_argument(&wanted));
}

}  // namespace plash::loader
