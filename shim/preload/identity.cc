// SPDX-License-Identifier: LGPL-2.1-or-later
//
// umask(2), and the IDs that the process is told it has. Where a server is used, functions that
// change IDs succeed and change nothing; the kernel's IDs are the sandbox's.
#include <grp.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/preload/wrap.h"

namespace plash::preload {
namespace {

unsigned id(long fake, long number) noexcept {
  return static_cast<unsigned>(fake >= 0 ? fake : system_call(number));
}

const FakeIds &fakes() noexcept {
  if (!is_set_up) set_up();
  return fake_ids;
}

// libc's own function, where there is no server: it changes the IDs of all threads.
template <class... A>
int change(const char *name, A... arguments) noexcept {
  if (!is_set_up) set_up();
  if (!passes_through) return 0;
  auto *real = next<int(A...)>(name);
  return real != nullptr ? real(arguments...) : fail(ENOSYS);
}

}  // namespace

PLASH_EXPORT(mode_t, umask, mode_t mask) { return static_cast<mode_t>(call(SYS_umask, mask)); }

PLASH_EXPORT(uid_t, getuid, void) { return id(fakes().uid, SYS_getuid); }
PLASH_EXPORT(uid_t, geteuid, void) { return id(fakes().euid, SYS_geteuid); }
PLASH_EXPORT(gid_t, getgid, void) { return id(fakes().gid, SYS_getgid); }
PLASH_EXPORT(gid_t, getegid, void) { return id(fakes().egid, SYS_getegid); }

// The saved ID is faked along with the effective one.
PLASH_EXPORT(int, getresuid, uid_t *real, uid_t *effective, uid_t *saved) {
  const long result =
      system_call(SYS_getresuid, as_argument(real), as_argument(effective), as_argument(saved));
  if (result < 0) return to_result(result);
  if (fakes().uid >= 0) *real = static_cast<uid_t>(fake_ids.uid);
  if (fakes().euid >= 0) *effective = *saved = static_cast<uid_t>(fake_ids.euid);
  return 0;
}

PLASH_EXPORT(int, getresgid, gid_t *real, gid_t *effective, gid_t *saved) {
  const long result =
      system_call(SYS_getresgid, as_argument(real), as_argument(effective), as_argument(saved));
  if (result < 0) return to_result(result);
  if (fakes().gid >= 0) *real = static_cast<gid_t>(fake_ids.gid);
  if (fakes().egid >= 0) *effective = *saved = static_cast<gid_t>(fake_ids.egid);
  return 0;
}

PLASH_EXPORT(int, setuid, uid_t uid) { return change("setuid", uid); }
PLASH_EXPORT(int, seteuid, uid_t uid) { return change("seteuid", uid); }
PLASH_EXPORT(int, setgid, gid_t gid) { return change("setgid", gid); }
PLASH_EXPORT(int, setegid, gid_t gid) { return change("setegid", gid); }

PLASH_EXPORT(int, setreuid, uid_t real, uid_t effective) {
  return change("setreuid", real, effective);
}

PLASH_EXPORT(int, setregid, gid_t real, gid_t effective) {
  return change("setregid", real, effective);
}

PLASH_EXPORT(int, setresuid, uid_t real, uid_t effective, uid_t saved) {
  return change("setresuid", real, effective, saved);
}

PLASH_EXPORT(int, setresgid, gid_t real, gid_t effective, gid_t saved) {
  return change("setresgid", real, effective, saved);
}

PLASH_EXPORT(int, setgroups, size_t count, const gid_t *groups) {
  return change("setgroups", count, groups);
}

// They return the ID that was.
PLASH_EXPORT(int, setfsuid, uid_t uid) {
  if (!is_set_up) set_up();
  return static_cast<int>(passes_through ? system_call(SYS_setfsuid, uid) : wrapped_geteuid());
}

PLASH_EXPORT(int, setfsgid, gid_t gid) {
  if (!is_set_up) set_up();
  return static_cast<int>(passes_through ? system_call(SYS_setfsgid, gid) : wrapped_getegid());
}

}  // namespace plash::preload
