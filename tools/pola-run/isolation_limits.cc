// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

#include "tools/pola-run/error.h"
#include "tools/pola-run/isolation.h"

namespace plash::pola_run {
namespace {

constexpr rlim_t least = 1024;  // the service descriptors are at 1020 and above

rlimit get_limit() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    throw Error(ExitStatus::failure, "cannot read RLIMIT_NOFILE", errno);
  }
  if (limit.rlim_max < least) {
    throw Error(ExitStatus::failure,
                "the hard limit of open files (RLIMIT_NOFILE) must be 1024 at least");
  }
  return limit;
}

void set_limit(const rlimit &limit) {
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    throw Error(ExitStatus::failure, "cannot set RLIMIT_NOFILE", errno);
  }
}

}  // namespace

void limit_descriptors() {
  rlimit limit = get_limit();
  limit.rlim_max = std::max(limit.rlim_max / 2, least);
  limit.rlim_cur = std::clamp(limit.rlim_cur, least, limit.rlim_max);
  set_limit(limit);
}

void make_room_for_service_descriptors() {
  rlimit limit = get_limit();
  limit.rlim_cur = std::max(limit.rlim_cur, least);
  set_limit(limit);
}

void raise_descriptor_limit() {
  rlimit limit = get_limit();
  limit.rlim_cur = limit.rlim_max;
  set_limit(limit);
}

}  // namespace plash::pola_run
