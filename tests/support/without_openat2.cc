// SPDX-License-Identifier: LGPL-2.1-or-later
//
// usage: without_openat2 PROGRAM [ARGUMENT]...
// Executes PROGRAM as on a kernel that does not know openat2(2).
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <iterator>

int main(int argc, char **argv) {
  if (argc < 2) {
    std::fputs("usage: without_openat2 PROGRAM [ARGUMENT]...\n", stderr);
    return 2;
  }
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) {
    std::perror("without_openat2: seccomp");
    return 2;
  }
  ::execv(argv[1], argv + 1);
  std::perror(argv[1]);
  return 2;
}
