// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What descriptors allow: those that were inherited, and the granted file, which is open to be
// read.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "tests/tools/pola-run/escape/attempt.h"

namespace plash::escape {
namespace {

// Something that holds for any of the descriptors; a directory of the kernel's above all.
long on_each_descriptor(const std::function<long(long)> &action) {
  long last = -ENOENT;
  for (long descriptor = 0; descriptor < 2048; ++descriptor) {
    if (call(SYS_fcntl, descriptor, F_GETFD) < 0 && call(SYS_dup, descriptor) < 0) continue;
    const long result = action(descriptor);
    if (result >= 0) return result;
    last = result;
  }
  return last;
}

const long empty = to_argument("");
int file;

struct FileCall {
  const char *name;
  long (*make)();
};

template <class T>
long request(unsigned long number, T value) {
  return call(SYS_ioctl, file, static_cast<long>(number), to_argument(&value));
}

const FileCall on_granted[] = {
    {"write", [] { return call(SYS_write, file, empty, 1); }},
    {"pwrite64", [] { return call(SYS_pwrite64, file, empty, 1, 0); }},
    {"ftruncate", [] { return call(SYS_ftruncate, file, 0); }},
    {"fallocate", [] { return call(SYS_fallocate, file, 0, 0, 4096); }},
    {"mmap shared, writable",
     [] { return call(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0); }},
    {"mprotect of a shared mapping",
     [] {
       const long at = call(SYS_mmap, 0, 4096, PROT_READ, MAP_SHARED, file, 0);
       return at < 0 && at > -4096 ? at : call(SYS_mprotect, at, 4096, PROT_READ | PROT_WRITE);
     }},
    {"fcntl F_SETFL to write",
     [] {
       call(SYS_fcntl, file, F_SETFL, O_RDWR);
       return call(SYS_write, file, empty, 1);
     }},
    {"fchmod", [] { return call(SYS_fchmod, file, 0777); }},
    {"fchmodat2 AT_EMPTY_PATH", [] { return call(452, file, empty, 0777, AT_EMPTY_PATH); }},
    {"fchown", [] { return call(SYS_fchown, file, -1, -1); }},
    {"fchownat AT_EMPTY_PATH",
     [] { return call(SYS_fchownat, file, empty, -1, -1, AT_EMPTY_PATH); }},
    {"futimens", [] { return call(SYS_utimensat, file, 0, 0, 0); }},
    {"utimensat AT_EMPTY_PATH", [] { return call(SYS_utimensat, file, empty, 0, AT_EMPTY_PATH); }},
    {"futimesat", [] { return call(SYS_futimesat, file, 0, 0); }},
    {"fsetxattr",
     [] { return call(SYS_fsetxattr, file, to_argument("user.y"), to_argument("y"), 1, 0); }},
    {"fremovexattr", [] { return call(SYS_fremovexattr, file, to_argument("user.x")); }},
    {"setxattrat AT_EMPTY_PATH",
     [] {
       std::uint64_t value[2] = {static_cast<std::uint64_t>(to_argument("y")), 1};
       return call(463, file, empty, AT_EMPTY_PATH, to_argument("user.y"), to_argument(value), 16);
     }},
    {"file_setattr AT_EMPTY_PATH",
     [] {
       std::uint64_t attributes[3] = {};
       return call(469, file, empty, to_argument(attributes), 24, AT_EMPTY_PATH);
     }},
    {"ioctl FS_IOC_SETFLAGS", [] { return request(FS_IOC_SETFLAGS, 0l); }},
    {"ioctl FS_IOC_FSSETXATTR", [] { return request(FS_IOC_FSSETXATTR, fsxattr{}); }},
    {"ioctl FS_IOC_SETVERSION", [] { return request(FS_IOC_SETVERSION, 7l); }},
    {"ioctl FS_IOC_ENABLE_VERITY", [] { return call(SYS_ioctl, file, 0x40806685, empty); }},
    {"ioctl FICLONE of another", [] { return call(SYS_ioctl, file, FICLONE, file); }},
    {"copy_file_range into it", [] { return call(SYS_copy_file_range, file, 0, file, 0, 1, 0); }},
    {"linkat AT_EMPTY_PATH",
     [] {
       return call(SYS_linkat, file, empty, AT_FDCWD, to_argument(outside.missing), AT_EMPTY_PATH);
     }},
    {"openat from it", [] { return call(SYS_openat, file, to_argument(".."), O_RDONLY); }},
    {"opened again to write, /proc/self/fd",
     [] {
       const std::string path = "/proc/self/fd/" + std::to_string(file);
       return call(SYS_openat, AT_FDCWD, to_argument(path), O_RDWR);
     }},
    {"opened again to write, /dev/fd",
     [] {
       const std::string path = "/dev/fd/" + std::to_string(file);
       return call(SYS_openat, AT_FDCWD, to_argument(path), O_RDWR);
     }},
    {"opened again to write, by name",
     [] { return call(SYS_openat, AT_FDCWD, to_argument(outside.granted), O_RDWR); }},
    {"execveat AT_EMPTY_PATH", [] { return call(SYS_execveat, file, empty, 0, 0, AT_EMPTY_PATH); }},
    {"name_to_handle_at AT_EMPTY_PATH",
     [] {
       unsigned handle[64] = {128};
       int mount;
       return call(SYS_name_to_handle_at, file, empty, to_argument(handle), to_argument(&mount),
                   AT_EMPTY_PATH);
     }},
    {"open_by_handle_at",
     [] {
       // The root directory of most file systems.
       unsigned handle[4] = {8, 1, 2, 0};
       return call(SYS_open_by_handle_at, file, to_argument(handle), O_RDONLY);
     }},
    {"quotactl_fd", [] { return call(SYS_quotactl_fd, file, 0x80000700, 0, empty); }},
    {"fanotify_mark by descriptor",
     [] { return call(SYS_fanotify_mark, call(SYS_fanotify_init, 0, 0), 1, 1, file, 0); }},
    {"fsconfig", [] { return call(SYS_fsconfig, file, 0, 0, 0, 0); }},
    {"move_mount", [] { return call(SYS_move_mount, file, empty, AT_FDCWD, empty, 0x44); }},
    {"open_tree AT_EMPTY_PATH", [] { return call(SYS_open_tree, file, empty, AT_EMPTY_PATH | 1); }},
    {"fremovexattr of the system's",
     [] { return call(SYS_fremovexattr, file, to_argument("security.capability")); }},
};

}  // namespace

void try_descriptors() {
  attempt("descriptor", "an open directory", [] {
    return on_each_descriptor([](long descriptor) -> long {
      struct stat status;
      const long result = call(SYS_fstat, descriptor, to_argument(&status));
      if (result < 0) return result;
      return S_ISDIR(status.st_mode) ? descriptor : -ENOTDIR;
    });
  });
  attempt("descriptor", "openat .. from any", [] {
    return on_each_descriptor(
        [](long directory) { return call(SYS_openat, directory, to_argument(".."), O_PATH); });
  });
  attempt("descriptor", "openat SECRET from any", [] {
    const std::string path = "../../../../.." + outside.secret;
    return on_each_descriptor(
        [&](long directory) { return call(SYS_openat, directory, to_argument(path), O_RDONLY); });
  });
  attempt("descriptor", "fchdir to any, then openat SECRET", [] {
    return on_each_descriptor([](long directory) {
      const std::string path = "../../../../.." + outside.secret;
      const long result = call(SYS_fchdir, directory);
      return result < 0 ? result : call(SYS_openat, AT_FDCWD, to_argument(path), O_RDONLY);
    });
  });
  attempt("descriptor", "setns to any",
          [] { return on_each_descriptor([](long fd) { return call(SYS_setns, fd, 0); }); });
  file = open_granted();
  for (const FileCall &entry : on_granted) attempt("descriptor", entry.name, entry.make);
  call(SYS_close, file);
}

}  // namespace plash::escape
