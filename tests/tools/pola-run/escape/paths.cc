// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Every system call that takes a path, on files outside.
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/tools/pola-run/escape/attempt.h"

namespace plash::escape {
namespace {

using Call = long (*)(long path);

struct PathCall {
  const char *name;
  Call make;
};

alignas(16) char buffer[4096];
const long room = to_argument(buffer);

// Under a file's own name.
const PathCall on_files[] = {
    {"open", [](long path) { return call(SYS_open, path, O_RDONLY); }},
    {"open to write", [](long path) { return call(SYS_open, path, O_RDWR); }},
    {"open to append", [](long path) { return call(SYS_open, path, O_WRONLY | O_APPEND); }},
    {"open O_PATH", [](long path) { return call(SYS_open, path, O_PATH); }},
    {"open O_TRUNC", [](long path) { return call(SYS_open, path, O_WRONLY | O_TRUNC); }},
    {"openat", [](long path) { return call(SYS_openat, AT_FDCWD, path, O_RDONLY); }},
    {"openat from no directory", [](long path) { return call(SYS_openat, -1, path, O_RDONLY); }},
    {"openat2",
     [](long path) {
       struct {
         std::uint64_t flags = O_RDONLY, mode = 0, resolve = 0;
       } how;
       return call(SYS_openat2, AT_FDCWD, path, to_argument(&how), sizeof how);
     }},
    {"openat2 RESOLVE_IN_ROOT",
     [](long path) {
       struct {
         std::uint64_t flags = O_RDONLY, mode = 0, resolve = 0x10;
       } how;
       return call(SYS_openat2, AT_FDCWD, path, to_argument(&how), sizeof how);
     }},
    {"creat", [](long path) { return call(SYS_creat, path, 0600); }},
    {"stat", [](long path) { return call(SYS_stat, path, room); }},
    {"lstat", [](long path) { return call(SYS_lstat, path, room); }},
    {"newfstatat", [](long path) { return call(SYS_newfstatat, AT_FDCWD, path, room, 0); }},
    {"newfstatat AT_EMPTY_PATH",
     [](long path) { return call(SYS_newfstatat, 0, path, room, AT_EMPTY_PATH); }},
    {"statx",
     [](long path) { return call(SYS_statx, AT_FDCWD, path, 0, STATX_BASIC_STATS, room); }},
    {"access", [](long path) { return call(SYS_access, path, F_OK); }},
    {"faccessat", [](long path) { return call(SYS_faccessat, AT_FDCWD, path, F_OK); }},
    {"faccessat2", [](long path) { return call(SYS_faccessat2, AT_FDCWD, path, F_OK, 0); }},
    {"statfs", [](long path) { return call(SYS_statfs, path, room); }},
    {"truncate", [](long path) { return call(SYS_truncate, path, 0); }},
    {"chmod", [](long path) { return call(SYS_chmod, path, 0777); }},
    {"fchmodat", [](long path) { return call(SYS_fchmodat, AT_FDCWD, path, 0777); }},
    {"fchmodat2", [](long path) { return call(452, AT_FDCWD, path, 0777, 0); }},
    {"chown", [](long path) { return call(SYS_chown, path, -1, -1); }},
    {"lchown", [](long path) { return call(SYS_lchown, path, -1, -1); }},
    {"fchownat", [](long path) { return call(SYS_fchownat, AT_FDCWD, path, -1, -1, 0); }},
    {"utime", [](long path) { return call(SYS_utime, path, 0); }},
    {"utimes", [](long path) { return call(SYS_utimes, path, 0); }},
    {"futimesat", [](long path) { return call(SYS_futimesat, AT_FDCWD, path, 0); }},
    {"utimensat", [](long path) { return call(SYS_utimensat, AT_FDCWD, path, 0, 0); }},
    {"getxattr", [](long path) { return call(SYS_getxattr, path, to_argument("user.x"), 0, 0); }},
    {"lgetxattr", [](long path) { return call(SYS_lgetxattr, path, to_argument("user.x"), 0, 0); }},
    {"getxattrat",
     [](long path) {
       std::uint64_t arguments[2] = {};
       return call(464, AT_FDCWD, path, 0, to_argument("user.x"), to_argument(arguments), 16);
     }},
    {"listxattr", [](long path) { return call(SYS_listxattr, path, 0, 0); }},
    {"llistxattr", [](long path) { return call(SYS_llistxattr, path, 0, 0); }},
    {"listxattrat", [](long path) { return call(465, AT_FDCWD, path, 0, 0, 0); }},
    {"setxattr",
     [](long path) { return call(SYS_setxattr, path, to_argument("user.y"), path, 1, 0); }},
    {"lsetxattr",
     [](long path) { return call(SYS_lsetxattr, path, to_argument("user.y"), path, 1, 0); }},
    {"removexattr", [](long path) { return call(SYS_removexattr, path, to_argument("user.x")); }},
    {"lremovexattr", [](long path) { return call(SYS_lremovexattr, path, to_argument("user.x")); }},
    {"file_getattr", [](long path) { return call(468, AT_FDCWD, path, room, 24, 0); }},
    {"file_setattr", [](long path) { return call(469, AT_FDCWD, path, room, 24, 0); }},
    {"inotify_add_watch",
     [](long path) {
       return call(SYS_inotify_add_watch, call(SYS_inotify_init1, 0), path, IN_ALL_EVENTS);
     }},
    {"fanotify_mark",
     [](long path) {
       return call(SYS_fanotify_mark, call(SYS_fanotify_init, 0, 0), 1, IN_OPEN, AT_FDCWD, path);
     }},
    {"name_to_handle_at",
     [](long path) {
       buffer[0] = 120;
       return call(SYS_name_to_handle_at, AT_FDCWD, path, room, room + 2048, 0);
     }},
    {"unlink", [](long path) { return call(SYS_unlink, path); }},
    {"unlinkat", [](long path) { return call(SYS_unlinkat, AT_FDCWD, path, 0); }},
    {"rename", [](long path) { return call(SYS_rename, path, to_argument(outside.missing)); }},
    {"renameat",
     [](long path) {
       return call(SYS_renameat, AT_FDCWD, path, AT_FDCWD, to_argument(outside.missing));
     }},
    {"renameat2",
     [](long path) {
       return call(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, to_argument(outside.missing), 0);
     }},
    {"link", [](long path) { return call(SYS_link, path, to_argument(outside.missing)); }},
    {"linkat",
     [](long path) {
       return call(SYS_linkat, AT_FDCWD, path, AT_FDCWD, to_argument(outside.missing), 0);
     }},
    {"swapon", [](long path) { return call(SYS_swapon, path, 0); }},
    {"acct", [](long path) { return call(SYS_acct, path); }},
    {"quotactl", [](long path) { return call(SYS_quotactl, 0x80000700, path, 0, room); }},
    {"mount", [](long path) { return call(SYS_mount, path, path, 0, 4096 /* MS_BIND */, 0); }},
    {"open_tree", [](long path) { return call(SYS_open_tree, AT_FDCWD, path, 1); }},
    {"uselib", [](long path) { return call(SYS_uselib, path); }},
};

// In a directory, or of one.
const PathCall on_directories[] = {
    {"open O_DIRECTORY", [](long path) { return call(SYS_open, path, O_DIRECTORY); }},
    {"open O_TMPFILE", [](long path) { return call(SYS_open, path, O_TMPFILE | O_RDWR, 0600); }},
    {"chdir", [](long path) { return call(SYS_chdir, path); }},
    {"chroot", [](long path) { return call(SYS_chroot, path); }},
    {"pivot_root", [](long path) { return call(SYS_pivot_root, path, path); }},
    {"umount2", [](long path) { return call(SYS_umount2, path, 2); }},
    {"fspick", [](long path) { return call(SYS_fspick, AT_FDCWD, path, 0); }},
    {"rmdir", [](long path) { return call(SYS_rmdir, path); }},
    {"mount_setattr",
     [](long path) { return call(SYS_mount_setattr, AT_FDCWD, path, 0, room, 32); }},
};

const PathCall on_names[] = {
    {"open O_CREAT", [](long path) { return call(SYS_open, path, O_CREAT | O_WRONLY, 0600); }},
    {"mkdir", [](long path) { return call(SYS_mkdir, path, 0777); }},
    {"mkdirat", [](long path) { return call(SYS_mkdirat, AT_FDCWD, path, 0777); }},
    {"mknod", [](long path) { return call(SYS_mknod, path, S_IFREG | 0600, 0); }},
    {"mknod of a device", [](long path) { return call(SYS_mknod, path, S_IFCHR | 0600, 0x103); }},
    {"mknodat of a FIFO",
     [](long path) { return call(SYS_mknodat, AT_FDCWD, path, S_IFIFO | 0600, 0); }},
    {"symlink", [](long path) { return call(SYS_symlink, to_argument("/"), path); }},
    {"symlinkat", [](long path) { return call(SYS_symlinkat, to_argument("/"), AT_FDCWD, path); }},
};

// No program of the host's can be started either.
const PathCall on_programs[] = {
    {"execve",
     [](long path) {
       const char *const none[] = {nullptr};
       return call(SYS_execve, path, to_argument(none), to_argument(none));
     }},
    {"execveat",
     [](long path) {
       const char *const none[] = {nullptr};
       return call(SYS_execveat, AT_FDCWD, path, to_argument(none), to_argument(none), 0);
     }},
};

// Whether an error says that there is something under a name.
template <class Calls>
void compare_each(const Calls &calls) {
  for (const PathCall &entry : calls) {
    const long there = run_apart([&] { return entry.make(to_argument(outside.secret)); });
    const long missing = run_apart([&] { return entry.make(to_argument(outside.missing)); });
    note("existence", entry.name, there == missing ? "hidden" : "TOLD", false);
  }
}

template <class Calls>
void try_each(const Calls &calls, const std::string &path) {
  for (const PathCall &entry : calls) {
    attempt("path", entry.name, [&] { return entry.make(to_argument(path)); });
  }
}

}  // namespace

void try_paths() {
  try_each(on_files, outside.secret);
  try_each(on_directories, outside.directory);
  try_each(on_names, outside.missing);
  // Where execution succeeds, nothing else is said: the program would return its own status.
  for (const PathCall &entry : on_programs) {
    attempt("path", entry.name, [&] {
      const long result = run_apart([&] { return entry.make(to_argument("/bin/true")); });
      return result == -ETIME ? 1 : result;
    });
  }
  compare_each(on_files);
  compare_each(on_directories);
  compare_each(on_programs);
}

}  // namespace plash::escape
