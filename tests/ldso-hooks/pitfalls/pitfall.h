// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Small programs in one: each case does something that a process in the loader door could get wrong
// and prints what it saw. The test runs a case natively and in the sandbox and compares
// (../compare_runs.cc). What a case prints must therefore not depend on process IDs, addresses or
// time.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pitfall {

struct Case {
  const char *name;
  void (*function)();
  Case *next;
  Case(const char *case_name, void (*case_function)());
};

// Prints what, the result, and errno where the result is negative.
void report(const char *what, long result);

// Opens a file of the scratch directory and closes it again; prints nothing. The result of open(2).
int try_open();

// Forks, runs function in the child, and prints how the child ended.
void in_child(const char *what, void (*function)());

// A system call by the instruction itself, without libc's wrapper.
long raw(long number, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0, long a5 = 0, long a6 = 0);

extern char **arguments;  // argv

}  // namespace pitfall

#define CASE(name)                               \
  static void name();                            \
  static pitfall::Case case_##name(#name, name); \
  static void name()
