// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "tools/pola-run/error.h"
#include "tools/pola-run/isolation.h"
#include "tools/support/unique_fd.h"

namespace plash::pola_run {
namespace {

const char *advice(int error_number) {
  switch (error_number) {
    case EPERM:
      return " (is kernel.unprivileged_userns_clone 0, or does a security module forbid it?)";
    case ENOSPC:
      return " (see the limits under /proc/sys/user)";
    case EINVAL:
      return " (is the kernel built without it?)";
    default:
      return "";
  }
}

[[noreturn]] void fail(const std::string &name, int error_number) {
  throw Error(ExitStatus::failure,
              "no isolation: cannot make a new " + name + " namespace" + advice(error_number),
              error_number);
}

}  // namespace

pid_t fork_into_namespaces() {
  // The C library has no fork() with flags. With one thread and no stack of its own the child is as
  // fork()'s.
  const long child = ::syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
  if (child < 0) fail("user and PID", errno);
  return static_cast<pid_t>(child);
}

void unshare_namespaces(bool keep_network) {
  if (::unshare(CLONE_NEWNS) != 0) fail("mount", errno);
  if (::unshare(CLONE_NEWIPC) != 0) fail("IPC", errno);
  if (::unshare(CLONE_NEWUTS) != 0) fail("UTS", errno);
  if (!keep_network && ::unshare(CLONE_NEWNET) != 0) fail("network", errno);
}

void forbid_user_namespaces() noexcept {
  const UniqueFd limit(::open("/proc/sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC));
  if (!limit) return;
  [[maybe_unused]] const ssize_t written = ::write(limit.get(), "0", 1);
}

}  // namespace plash::pola_run
