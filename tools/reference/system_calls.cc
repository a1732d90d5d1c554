// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Prints shim/engine/SYSCALLS.md: the table of system calls for people to read.
#include <cstdio>

#include "shim/engine/syscall_numbers.h"

namespace {

struct Row {
  int number;
  const char *name;
  const char *treatment;
  const char *error;  // of what is denied
};

constexpr Row rows[] = {
#define EMULATED "emulated", ""
#define LOCAL "local", ""
#define PASSED "passed", ""
#define DENIED(error) "denied", #error
#define PLASH_SYSCALL(name, treatment) {__NR_##name, #name, treatment},
#include "shim/engine/syscalls.def"
};

}  // namespace

int main() {
  std::printf(
      "# The system calls\n\n"
      "Made from syscalls.def by `ninja system-call-reference`; do not edit. What becomes of each "
      "system call of x86-64 in a sandbox:\n\n"
      "- emulated: the engine serves it, asking the file server where it concerns a path or a "
      "directory\n"
      "- local: the loader door serves it inside the process, so that the door stays in place; "
      "other doors pass it to the kernel\n"
      "- passed: the kernel serves it; it reaches nothing by name, or only what the sandbox's own "
      "namespaces hold\n"
      "- denied: the loader door answers with that error; other doors pass it to the kernel, which "
      "the sandbox's filter and\n"
      "  namespaces stop\n\n"
      "`tools/pola-run/isolation_seccomp_table.h` has what is refused in every door. A number that "
      "is not here gives ENOSYS.\n\n"
      "| number | call | in a sandbox |\n| ---: | --- | --- |\n");
  for (const Row &row : rows) {
    std::printf("| %d | %s | %s%s%s |\n", row.number, row.name, row.treatment,
                row.error[0] != '\0' ? ": " : "", row.error);
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}
