// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/ldso-hooks/pitfalls/pitfall.h"

namespace pitfall {

static Case *first;
char **arguments;

Case::Case(const char *case_name, void (*case_function)())
    : name(case_name), function(case_function), next(first) {
  first = this;
}

void report(const char *what, long result) {
  const int error = errno;
  printf("%s: %ld%s%s\n", what, result, result < 0 ? " " : "",
         result < 0 ? strerrorname_np(error) : "");
  fflush(stdout);
}

int try_open() {
  const int descriptor = open("file", O_RDONLY | O_CLOEXEC);
  if (descriptor >= 0) close(descriptor);
  return descriptor;
}

void in_child(const char *what, void (*function)()) {
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    function();
    fflush(stdout);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) {
    printf("%s: killed by signal %d\n", what, WTERMSIG(status));
  } else {
    printf("%s: exit %d\n", what, WEXITSTATUS(status));
  }
  fflush(stdout);
}

long raw(long number, long a1, long a2, long a3, long a4, long a5, long a6) {
  return syscall(number, a1, a2, a3, a4, a5, a6);
}

}  // namespace pitfall

int main(int count, char **arguments) {
  pitfall::arguments = arguments;
  if (count < 2) {
    for (const auto *entry = pitfall::first; entry != nullptr; entry = entry->next)
      puts(entry->name);
    return 0;
  }
  for (const auto *entry = pitfall::first; entry != nullptr; entry = entry->next) {
    if (strcmp(entry->name, arguments[1]) != 0) continue;
    entry->function();
    return 0;
  }
  fprintf(stderr, "no case %s\n", arguments[1]);
  return 2;
}
