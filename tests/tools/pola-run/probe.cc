// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Run inside a sandbox by sandbox_test.py: asks the kernel itself, past the door, what it allows.
// usage: probe descriptors | privileges | refused | i386-call | x32-call | root | metadata FILE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <string_view>

#include "protocol/system_call.h"
#include "tools/pola-run/isolation_seccomp_table.h"

namespace {

using plash::as_argument;
using plash::system_call;

int failures = 0;

void expect(long result, long expected, const char *what, long number) {
  if (result == expected) return;
  std::printf("%s %ld (%#lx): %ld instead of %ld\n", what, number, number, result, expected);
  ++failures;
}

void list_descriptors() {
  for (long descriptor = 0; descriptor < 4096; ++descriptor) {
    if (system_call(__NR_fcntl, descriptor, F_GETFD) >= 0) std::printf("%ld ", descriptor);
  }
  std::printf("\n");
}

void print_privileges() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {};
  system_call(__NR_capget, as_argument(&header), as_argument(sets));
  unsigned any = 0;
  int bounding = 0, ambient = 0;
  for (const auto &set : sets) any |= set.effective | set.permitted | set.inheritable;
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability) >= 0; ++capability) {
    bounding += ::prctl(PR_CAPBSET_READ, capability);
    ambient += ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0);
  }
  std::printf("capabilities %x bounding %d ambient %d no_new_privs %d seccomp %d\n", any, bounding,
              ambient, ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), ::prctl(PR_GET_SECCOMP));
}

void try_refused_calls() {
  using namespace plash::pola_run;
  for (const RefusedCall &call : refused_calls) {
    const long result = system_call(call.number, -1, -1, -1, -1, -1, -1);
    expect(result, -call.error, "system call", call.number);
  }
  for (const int number : {last_known_call + 1, 500, 1000, 0x3fffffff}) {
    expect(system_call(number), -ENOSYS, "later system call", number);
  }
  for (const std::uint32_t request : refused_requests) {
    // The kernel ignores the upper half.
    for (const unsigned long upper : {0ul, 1ul << 32, 0xfffffffful << 32}) {
      const auto number = static_cast<long>(upper | request);
      expect(system_call(__NR_ioctl, 0, number, 0), -EPERM, "ioctl", number);
    }
  }
  for (const std::uint32_t flag : refused_namespaces) {
    expect(system_call(__NR_unshare, flag), -EPERM, "unshare", flag);
    expect(system_call(__NR_unshare, flag | CLONE_FS), -EPERM, "unshare", flag | CLONE_FS);
    expect(system_call(__NR_clone, flag | SIGCHLD), -EPERM, "clone", flag);
  }
  expect(system_call(__NR_unshare, CLONE_NEWTIME), -EPERM, "unshare", CLONE_NEWTIME);
  for (int family = 0; family < 64; ++family) {
    const auto number = static_cast<std::uint32_t>(family);
    if (std::find(std::begin(allowed_families), std::end(allowed_families), number) !=
        std::end(allowed_families))
      continue;
    for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET}) {
      expect(system_call(__NR_socket, family, type, 0), -EAFNOSUPPORT, "socket", family);
      expect(system_call(__NR_socket, family | (1l << 40), type, 0), -EAFNOSUPPORT, "socket",
             family);
    }
    int pair[2];
    const long result = system_call(__NR_socketpair, family, SOCK_STREAM, 0, as_argument(pair));
    expect(result, -EAFNOSUPPORT, "socketpair", family);
  }
  for (int protocol = 1; protocol < 32; ++protocol) {
    const long result = system_call(__NR_socket, AF_NETLINK, SOCK_RAW, protocol);
    expect(result, -EPROTONOSUPPORT, "netlink socket", protocol);
  }
  for (const long persona :
       std::initializer_list<long>{PER_LINUX32, PER_BSD, READ_IMPLIES_EXEC, MMAP_PAGE_ZERO,
                                   ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC}) {
    expect(system_call(__NR_personality, persona), -EPERM, "personality", persona);
  }
  // And what programs need.
  expect(system_call(__NR_unshare, CLONE_FS | CLONE_FILES), 0, "unshare", CLONE_FS | CLONE_FILES);
  for (const int family : {AF_UNIX, AF_INET, AF_NETLINK}) {
    const long descriptor = system_call(__NR_socket, family, SOCK_DGRAM, 0);
    expect(descriptor >= 0, 1, "socket", family);
    system_call(__NR_close, descriptor);
  }
  expect(system_call(__NR_personality, 0xffffffff), PER_LINUX, "personality", 0);
  expect(system_call(__NR_personality, ADDR_NO_RANDOMIZE), PER_LINUX, "personality", 0);
  expect(system_call(__NR_personality, PER_LINUX), ADDR_NO_RANDOMIZE, "personality", 0);
}

void make_i386_call() {
  long result = 20;  // getpid
  __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
}

void make_x32_call() { system_call(0x40000000 | __NR_getpid); }

// Prints the names in a directory, as the kernel has them.
void list(const char *path) {
  const long directory =
      system_call(__NR_openat, AT_FDCWD, as_argument(path), O_RDONLY | O_DIRECTORY);
  if (directory < 0) {
    std::printf("%s: %s\n", path, std::strerror(static_cast<int>(-directory)));
    return;
  }
  alignas(dirent64) static char entries[1 << 16];
  for (;;) {
    const long size = system_call(__NR_getdents64, directory, as_argument(entries), sizeof entries);
    if (size <= 0) break;
    for (long offset = 0; offset < size;) {
      const auto *entry = reinterpret_cast<const dirent64 *>(entries + offset);
      if (entry->d_name[0] != '.') std::printf("%s%s\n", path, entry->d_name);
      offset += entry->d_reclen;
    }
  }
  system_call(__NR_close, directory);
}

void show_root() {
  for (const char *path : {"/", "/usr/", "/plash/"}) list(path);
  for (const char *path :
       {"/proc/self/status", "/etc/passwd", "/dev/null", "/home", "/../etc/passwd"}) {
    expect(system_call(__NR_openat, AT_FDCWD, as_argument(path), O_RDONLY), -ENOENT, path, 0);
  }
  for (const char *path : {"/new", "/usr/new", "/usr/lib/new", "/plash/new"}) {
    expect(system_call(__NR_mkdirat, AT_FDCWD, as_argument(path), 0777), -EROFS, path, 0);
  }
}

// A read-only descriptor of a file of one's own allows all this to the kernel.
void try_metadata(const char *path) {
  const int file = ::open(path, O_RDONLY);
  if (file < 0) {
    std::perror(path);
    ++failures;
    return;
  }
  const char name[] = "user.plash";
  const long empty = as_argument("");
  expect(system_call(__NR_fchmod, file, 0777), -EPERM, "fchmod", 0);
  expect(system_call(__NR_fchown, file, -1, -1), -EPERM, "fchown", 0);
  expect(system_call(__NR_utimensat, file, 0, 0, 0), -EPERM, "futimens", 0);
  expect(system_call(__NR_utimensat, file, empty, 0, AT_EMPTY_PATH), -EPERM, "utimensat", 0);
  expect(system_call(__NR_fchownat, file, empty, -1, -1, AT_EMPTY_PATH), -EPERM, "fchownat", 0);
  expect(system_call(__NR_fsetxattr, file, as_argument(name), as_argument(name), 1, 0), -EPERM,
         "fsetxattr", 0);
  int flags = 0;
  if (system_call(__NR_ioctl, file, FS_IOC_GETFLAGS, as_argument(&flags)) == 0) {
    const long result = system_call(__NR_ioctl, file, FS_IOC_SETFLAGS, as_argument(&flags));
    expect(result, -EPERM, "FS_IOC_SETFLAGS", 0);
  }
  const long target = as_argument("/usr/lib/link");
  const bool linked = system_call(__NR_linkat, file, empty, AT_FDCWD, target, AT_EMPTY_PATH) == 0;
  expect(linked, 0, "linkat", 0);
  struct stat status;
  ::fstat(file, &status);
  std::printf("owner %u %u mode %o\n", status.st_uid, status.st_gid, status.st_mode & 07777);
}

}  // namespace

int main(int count, char **arguments) {
  const std::string_view what = count > 1 ? arguments[1] : "";
  if (what == "descriptors") {
    list_descriptors();
  } else if (what == "privileges") {
    print_privileges();
  } else if (what == "refused") {
    try_refused_calls();
  } else if (what == "i386-call") {
    make_i386_call();
  } else if (what == "x32-call") {
    make_x32_call();
  } else if (what == "root") {
    show_root();
  } else if (what == "metadata" && count == 3) {
    try_metadata(arguments[2]);
  } else {
    std::fprintf(stderr, "usage: see probe.cc\n");
    return 2;
  }
  return failures == 0 ? 0 : 1;
}
