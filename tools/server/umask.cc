// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/server/umask.h"

#include <sched.h>
#include <sys/stat.h>

namespace plash::server {
namespace {

constexpr unsigned unknown = ~0u;

struct OfThread {
  // A new thread shares the umask, like the working directory, with the one that made it.
  const bool is_own = ::unshare(CLONE_FS) == 0;
  unsigned value = unknown;
};

}  // namespace

unsigned mode_under_umask(unsigned mode, std::uint64_t umask) noexcept {
  thread_local OfThread of_thread;
  const auto wanted = static_cast<unsigned>(umask & 0777);
  if (!of_thread.is_own) return mode & ~wanted;
  if (of_thread.value != wanted) ::umask(wanted);
  of_thread.value = wanted;
  return mode;
}

}  // namespace plash::server
