// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Namespaces, user IDs, capabilities: what would be gained inside, to get out by.
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "tests/tools/pola-run/escape/attempt.h"

namespace plash::escape {
namespace {

struct Flag {
  const char *name;
  long value;
};

const Flag namespaces[] = {{"CLONE_NEWNS", CLONE_NEWNS},
                           {"CLONE_NEWUTS", CLONE_NEWUTS},
                           {"CLONE_NEWIPC", CLONE_NEWIPC},
                           {"CLONE_NEWUSER", CLONE_NEWUSER},
                           {"CLONE_NEWPID", CLONE_NEWPID},
                           {"CLONE_NEWNET", CLONE_NEWNET},
                           {"CLONE_NEWCGROUP", CLONE_NEWCGROUP},
                           {"CLONE_NEWTIME", CLONE_NEWTIME},
                           {"NEWUSER|NEWNS", CLONE_NEWUSER | CLONE_NEWNS}};

// The child ends at once, if there is one.
long clone_with(long flags) {
  const long child = call(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) call(SYS_exit_group, 0);
  return child;
}

long clone3_with(long flags) {
  clone_args arguments = {};
  arguments.flags = static_cast<unsigned long>(flags);
  arguments.exit_signal = SIGCHLD;
  const long child = call(SYS_clone3, to_argument(&arguments), sizeof arguments);
  if (child == 0) call(SYS_exit_group, 0);
  return child;
}

long set_capabilities(bool inheritable_alone) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {};
  for (auto &set : sets) {
    set.inheritable = ~0u;
    if (!inheritable_alone) set.effective = set.permitted = ~0u;
  }
  return call(SYS_capset, to_argument(&header), to_argument(sets));
}

// More open files than pola-run allows, which has twice as many.
long raise_limit() {
  rlimit limit = {};
  call(SYS_getrlimit, RLIMIT_NOFILE, to_argument(&limit));
  limit.rlim_max = limit.rlim_max * 2;
  limit.rlim_cur = limit.rlim_max;
  const long result = call(SYS_setrlimit, RLIMIT_NOFILE, to_argument(&limit));
  if (result < 0) return result;
  // The loader door answers, but does not do it.
  return call(SYS_dup2, 1, static_cast<long>(limit.rlim_max) - 1);
}

}  // namespace

void try_privileges() {
  for (const Flag &flag : namespaces) {
    const std::string name = flag.name;
    attempt("privilege", "unshare " + name, [&] { return call(SYS_unshare, flag.value); });
    if (flag.value != CLONE_NEWTIME) {  // in clone(2) a part of the signal
      attempt("privilege", "clone " + name, [&] { return clone_with(flag.value); });
      attempt("privilege", "clone, upper half set, " + name,
              [&] { return clone_with(flag.value | 1l << 40); });
    }
    attempt("privilege", "clone3 " + name, [&] { return clone3_with(flag.value); });
  }
  const long other = ::getuid() == 0 ? 1 : 0;
  attempt("privilege", "setuid", [&] { return call(SYS_setuid, other); });
  attempt("privilege", "setresuid", [&] { return call(SYS_setresuid, other, other, other); });
  attempt("privilege", "setgid", [&] { return call(SYS_setgid, other); });
  attempt("privilege", "setresgid", [&] { return call(SYS_setresgid, other, other, other); });
  attempt("privilege", "setfsuid", [&] {
    call(SYS_setfsuid, other);
    return call(SYS_setfsuid, other) == other ? 0l : -EPERM;
  });
  attempt("privilege", "setgroups", [] {
    const gid_t group = 0;
    return call(SYS_setgroups, 1, to_argument(&group));
  });
  attempt("privilege", "capset, all", [] { return set_capabilities(false); });
  attempt("privilege", "capset, inheritable", [] { return set_capabilities(true); });
  attempt("privilege", "ambient capability", [] {
    return call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0);
  });
  attempt("privilege", "no_new_privs off",
          [] { return call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0); });
  attempt("privilege", "securebits off", [] { return call(SYS_prctl, PR_SET_SECUREBITS, 0); });
  attempt("privilege", "seccomp off", [] { return call(SYS_prctl, PR_SET_SECCOMP, 0, 0); });
  attempt("privilege", "RLIMIT_NOFILE raised", raise_limit);
  attempt("privilege", "nice below 0", [] { return call(SYS_setpriority, PRIO_PROCESS, 0, -20); });
  attempt("privilege", "real-time scheduling", [] {
    const int priority = 1;
    return call(SYS_sched_setscheduler, 0, SCHED_FIFO, to_argument(&priority));
  });
}

}  // namespace plash::escape
