// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ldso-hooks/loader/descriptor_room.h"

#include <asm/unistd_64.h>

#include "protocol/system_call.h"

namespace plash::loader {

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
