// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/descriptor_room.h"

#include <asm/unistd_64.h>
#include <fcntl.h>

#include "ldso-hooks/loader/service_descriptors.h"
#include "protocol/system_call.h"

namespace plash::loader {

bool has_free_descriptor() noexcept {
  const long result = system_call(__NR_fcntl, fs_op_descriptor, F_DUPFD_CLOEXEC, 0);
  if (result < 0) return false;
  system_call(__NR_close, result);
  return true;
}

void reserve_descriptor(int number) noexcept {
  if (system_call(__NR_dup2, loader_descriptor, number) < 0) system_call(__NR_close, number);
}

DescriptorRoom::DescriptorRoom() noexcept {
  if (system_call(__NR_getrlimit, RLIMIT_NOFILE, as_argument(&limit_)) != 0) return;
  const rlimit more{limit_.rlim_max, limit_.rlim_max};
  lifted_ = limit_.rlim_cur < limit_.rlim_max &&
            system_call(__NR_setrlimit, RLIMIT_NOFILE, as_argument(&more)) == 0;
}

void DescriptorRoom::restore() noexcept {
  if (!lifted_) return;
  lifted_ = false;
  system_call(__NR_setrlimit, RLIMIT_NOFILE, as_argument(&limit_));
}

}  // namespace plash::loader
