// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/stress/subject.h"

#include <string.h>

#include "protocol/system_call.h"

namespace plash::stress {

long OwnProcess::call(long number, long first, long second, long third) const noexcept {
  return system_call(number, first, second, third);
}

void OwnProcess::load(void *to, const void *from, std::size_t size) const noexcept {
  memcpy(to, from, size);
}

void OwnProcess::store(void *to, const void *from, std::size_t size) const noexcept {
  memcpy(to, from, size);
}

}  // namespace plash::stress
