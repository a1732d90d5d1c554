// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Paths that are to lead out: by "..", by /proc and its magic links, by devices.
#include <fcntl.h>
#include <sys/syscall.h>

#include <string>
#include <vector>

#include "tests/tools/pola-run/escape/attempt.h"

namespace plash::escape {
namespace {

std::vector<std::string> paths_to_the_secret() {
  const std::string process = "/proc/" + std::to_string(outside.process);
  std::vector<std::string> paths;
  for (const std::string &start :
       {std::string("/.."), std::string("/../.."), std::string(".."), std::string("../../../.."),
        std::string("/."), std::string("//"), std::string("/proc/self/root"),
        std::string("/proc/self/root/.."), std::string("/proc/thread-self/root"),
        std::string("/proc/self/cwd/.."), std::string("/proc/self/task/1/root"),
        std::string("/proc/1/root"), std::string("/proc/1/cwd/.."), process + "/root",
        process + "/cwd/../../../..", std::string("/proc/self/fd/0/../.."),
        std::string("/proc/self/exe/.."), std::string("/dev/fd/1/..")}) {
    paths.push_back(start + outside.secret);
  }
  return paths;
}

std::vector<std::string> paths_to_other_things() {
  const std::string process = "/proc/" + std::to_string(outside.process);
  return {"/etc/passwd",
          "/etc/shadow",
          "/proc/1/environ",
          "/proc/1/mem",
          "/proc/1/maps",
          "/proc/1/exe",
          "/proc/1/fd/0",
          "/proc/1/ns/user",
          process + "/mem",
          process + "/environ",
          process + "/fd/0",
          process + "/ns/mnt",
          "/proc/self/mem",
          "/proc/self/ns/mnt",
          "/proc/self/ns/user",
          "/proc/self/uid_map",
          "/proc/self/setgroups",
          "/proc/self/oom_score_adj",
          "/proc/self/pagemap",
          "/proc/kcore",
          "/proc/kallsyms",
          "/proc/keys",
          "/proc/net/tcp",
          "/proc/sys/kernel/core_pattern",
          "/proc/sys/user/max_user_namespaces",
          "/proc/sysrq-trigger",
          "/sys/kernel/uevent_helper",
          "/sys/fs/cgroup/cgroup.procs",
          "/dev/mem",
          "/dev/kmsg",
          "/dev/tty",
          "/dev/tty1",
          "/dev/console",
          "/dev/ptmx",
          "/dev/fuse",
          "/dev/vda",
          "/dev/shm/plash-test",
          "/dev/mqueue/plash-test",
          "/run",
          "/tmp",
          "/var/lib",
          "/root",
          "/home",
          "/boot"};
}

}  // namespace

void try_magic_links() {
  for (const std::string &path : paths_to_the_secret()) {
    const std::string name = path.substr(0, path.size() - outside.secret.size()) + "/SECRET";
    attempt("path", name, [&] { return call(SYS_openat, AT_FDCWD, to_argument(path), O_RDONLY); });
  }
  for (const std::string &path : paths_to_other_things()) {
    std::string name = path;
    const std::string process = std::to_string(outside.process);
    if (const auto at = name.find(process); at != std::string::npos) {
      name.replace(at, process.size(), "PROCESS");
    }
    attempt("path", name, [&] { return call(SYS_openat, AT_FDCWD, to_argument(path), O_RDONLY); });
  }
  // From the root that the kernel knows: whatever it is, the secret is not below it.
  for (const char *root : {"/", ".", "..", "/proc/self/root", "/proc/self/cwd"}) {
    attempt("path", std::string("openat from ") + root, [&] {
      const long directory = call(SYS_openat, AT_FDCWD, to_argument(root), O_PATH | O_DIRECTORY);
      const std::string relative = "../../../../.." + outside.secret;
      return directory < 0 ? directory
                           : call(SYS_openat, directory, to_argument(relative), O_RDONLY);
    });
  }
}

}  // namespace plash::escape
