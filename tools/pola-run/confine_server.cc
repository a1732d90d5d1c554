// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/pola-run/confine_server.h"

#include <sched.h>
#include <seccomp.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include <cerrno>
#include <memory>

#include "tools/pola-run/error.h"
#include "tools/pola-run/isolation.h"

namespace plash::pola_run {
namespace {

constexpr cap_value_t file_capabilities[] = {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH,
                                             CAP_FOWNER, CAP_FSETID};

[[noreturn]] void fail(int error) {
  throw Error(ExitStatus::failure, "cannot take the server's own privileges away", error);
}

void keep_only_file_capabilities() {
  using Sets = std::unique_ptr<std::remove_pointer_t<cap_t>, decltype(&cap_free)>;
  const Sets held(cap_get_proc(), &cap_free);
  const Sets kept(cap_init(), &cap_free);
  if (!held || !kept) fail(errno);
  for (const cap_value_t capability : file_capabilities) {
    cap_flag_value_t value = CAP_CLEAR;
    cap_get_flag(held.get(), capability, CAP_EFFECTIVE, &value);
    if (value != CAP_SET) continue;
    cap_set_flag(kept.get(), CAP_PERMITTED, 1, &capability, CAP_SET);
    cap_set_flag(kept.get(), CAP_EFFECTIVE, 1, &capability, CAP_SET);
  }
  if (cap_set_proc(kept.get()) != 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail(errno);
}

// What could make more of a server that was taken over than a file server, and that it never needs.
constexpr const char *refused[] = {
    "execve",
    "execveat",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "setns",
    "open_by_handle_at",
    "name_to_handle_at",
    "bpf",
    "perf_event_open",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "userfaultfd",
    "keyctl",
    "add_key",
    "request_key",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "swapon",
    "swapoff",
    "acct",
    "quotactl",
    "settimeofday",
    "clock_settime",
    "sethostname",
    "setdomainname",
    "syslog",
    "iopl",
    "ioperm",
    "pidfd_getfd",
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setgroups",
    "setfsuid",
    "setfsgid",
};

void refuse_system_calls() {
  const std::unique_ptr<void, decltype(&seccomp_release)> filter(seccomp_init(SCMP_ACT_ALLOW),
                                                                 &seccomp_release);
  if (!filter) fail(ENOMEM);
  for (const char *name : refused) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) continue;  // libseccomp is older than the call
    const int error = seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), number, 0);
    if (error != 0) fail(-error);
  }
  // But for CLONE_FS alone, by which a thread gets a umask of its own.
  if (const int error = seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(unshare), 1,
                                         SCMP_A0(SCMP_CMP_NE, CLONE_FS));
      error != 0)
    fail(-error);
  // As a tree, so that what is allowed costs little.
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  if (const int error = seccomp_load(filter.get()); error != 0) fail(-error);
}

}  // namespace

void confine_server(bool keep_file_capabilities) {
  if (keep_file_capabilities) {
    keep_only_file_capabilities();
  } else {
    drop_capabilities();
  }
  refuse_system_calls();
}

}  // namespace plash::pola_run
