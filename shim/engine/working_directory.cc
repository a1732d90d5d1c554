// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The working directory is a directory object at a fixed descriptor: changing it is a lookup and
// one dup3(2), and fork and exec hand it on.
#include <asm/unistd_64.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <signal.h>
#include <sys/resource.h>

#include "protocol/system_call.h"
#include "shim/engine/handlers.h"

namespace plash::engine {
namespace {

// dup3(2) to a number that RLIMIT_NOFILE forbids: the program may have set it below the working
// directory's. A child that shares memory and descriptors, but has limits of its own, lifts them to
// the hard limit and does it; nobody else may open more meanwhile. Signals are blocked: a handler
// of the program's is not to run in the child.
long duplicate_above_limit(int from, int to) noexcept {
  rlimit limit;
  long error = system_call(__NR_getrlimit, RLIMIT_NOFILE, as_argument(&limit));
  if (error < 0) return error;
  if (limit.rlim_max <= static_cast<rlim_t>(to)) return -EMFILE;
  limit.rlim_cur = limit.rlim_max;
  const unsigned long all = ~0ul;
  unsigned long mask;
  system_call(__NR_rt_sigprocmask, SIG_SETMASK, as_argument(&all), as_argument(&mask), sizeof mask);
  long child;
  long result = 0;
  register long r10 __asm__("r10") = 0;
  register long r8 __asm__("r8") = 0;
  // The child runs on this stack while this thread waits, and leaves it as it is.
  __asm__ volatile(
      "syscall\n\t"  // clone
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "mov %[setrlimit], %%eax\n\t"
      "mov %[nofile], %%edi\n\t"
      "mov %[limit], %%rsi\n\t"
      "syscall\n\t"
      "mov %[dup3], %%eax\n\t"
      "mov %[from], %%edi\n\t"
      "mov %[to], %%esi\n\t"
      "xor %%edx, %%edx\n\t"
      "syscall\n\t"
      "mov %%rax, (%[result])\n\t"
      "mov %[exit], %%eax\n\t"
      "xor %%edi, %%edi\n\t"
      "syscall\n\t"
      "1:"
      : "=a"(child), "+r"(r10), "+r"(r8)
      : "a"(__NR_clone), "D"(CLONE_VM | CLONE_VFORK | CLONE_FILES), "S"(0),
        "d"(0), [setrlimit] "i"(__NR_setrlimit), [nofile] "i"(RLIMIT_NOFILE), [dup3] "i"(__NR_dup3),
        [exit] "i"(__NR_exit), [limit] "r"(&limit), [from] "r"(from), [to] "r"(to),
        [result] "r"(&result)
      : "rcx", "r11", "memory");
  if (child > 0) {
    do {
      error = system_call(__NR_wait4, child, 0, __WCLONE, 0);
    } while (error == -EINTR);
  }
  system_call(__NR_rt_sigprocmask, SIG_SETMASK, as_argument(&mask), 0, sizeof mask);
  return child < 0 ? child : result;
}

long change_to(const Location &location) noexcept {
  methods::Chdir::Request request;
  set_location(request, location);
  methods::Chdir::Reply reply;
  const long error = ask<methods::Chdir>(request, reply);
  if (error != 0) return error;
  long result = system_call(__NR_dup3, reply.directory, state.cwd, 0);
  if (result == -EBADF) result = duplicate_above_limit(reply.directory, state.cwd);
  system_call(__NR_close, reply.directory);
  return result < 0 ? result : 0;
}

}  // namespace

long emulate_chdir(const Arguments &arguments) noexcept {
  Location location;
  const long error = locate(AT_FDCWD, arguments.pointer<const char>(0), 0, Last::follow, location);
  if (error != 0) return error;
  if (state.cwd < 0) return -ENOENT;
  return change_to(location);
}

long emulate_fchdir(const Arguments &arguments) noexcept {
  if (is_service(arguments[0])) return -EBADF;
  if (!is_directory_object(arguments[0])) {
    const long flags = system_call(__NR_fcntl, arguments.number(0), F_GETFD);
    return flags < 0 ? flags : -ENOTDIR;
  }
  if (state.cwd < 0) return -ENOENT;
  return change_to({arguments.number(0), {"", 0}, 0});
}

long emulate_getcwd(const Arguments &arguments) noexcept {
  if (state.cwd < 0) return -ENOENT;
  auto *buffer = arguments.pointer<char>(0);
  const auto size = static_cast<std::uint64_t>(arguments[1]);
  methods::DirectoryPath::Request request;
  request.size = size < max_path_size + 1 ? size : max_path_size + 1;
  methods::DirectoryPath::Reply reply;
  const long error =
      ask_object<methods::DirectoryPath>(state.cwd, request, reply, {buffer, request.size});
  if (error != 0) return explain_bad_base(error, state.cwd);
  // The kernel has filled all but the last byte, which may be the first of a page.
  char *end = buffer + reply.path.size;
  if (reinterpret_cast<std::uint64_t>(end) % 4096 == 0 && !may_write(end, 1)) return -EFAULT;
  *end = '\0';
  return static_cast<long>(reply.path.size + 1);
}

long emulate_umask(const Arguments &arguments) noexcept {
  const long before = call_kernel(__NR_umask, arguments);
  follow_umask(arguments.bits(0));
  return before;
}

}  // namespace plash::engine
