// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What set-up takes from the environment. The engine is set up once in a process: each case has a
// child of its own.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <string>

#include "shim/engine/engine.h"
#include "shim/engine/state.h"
#include "shim/engine/syscall_numbers.h"
#include "tests/support/catch.h"

namespace {

struct Emulated {
  const char *name;
  long number;
};

constexpr Emulated emulated_calls[] = {
#define EMULATED 1
#define LOCAL 0
#define PASSED 0
#define DENIED(error) 0
#define PLASH_SYSCALL(name, treatment) {treatment ? #name : nullptr, __NR_##name},
#include "shim/engine/syscalls.def"
#undef PLASH_SYSCALL
#undef DENIED
#undef PASSED
#undef LOCAL
#undef EMULATED
};

// Runs check in a child that has set the engine up with one variable (or none); what the child
// writes to standard error goes to complaint. Returns check's result, the number of mistakes, or
// -1 where the child did not end.
int after_set_up(const char *variable, bool secure, const std::function<int()> &check,
                 std::string *complaint = nullptr) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (complaint != nullptr) ::dup2(ends[1], 2);
    std::string entry = variable != nullptr ? variable : "OTHER=1";
    char *environment[] = {entry.data(), nullptr};
    plash_setup(environment, secure);
    ::_exit(check());
  }
  ::close(ends[1]);
  char buffer[256];
  for (ssize_t size; (size = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
    if (complaint != nullptr) complaint->append(buffer, static_cast<std::size_t>(size));
  }
  ::close(ends[0]);
  int status = -1;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Arguments that no call can use, but for umask(2).
long with_bad_arguments(long number) { return plash_syscall(number, -1, -1, -1, -1, -1, -1); }
long kernel_with_bad_arguments(long number) {
  const long result = ::syscall(number, -1L, -1L, -1L, -1L, -1L, -1L);
  return result == -1 ? -errno : result;
}

// How many emulated calls do not give the kernel's own result.
int count_differences() {
  int wrong = 0;
  for (const Emulated &call : emulated_calls) {
    if (call.name == nullptr || call.number == SYS_umask) continue;
    const long expected = kernel_with_bad_arguments(call.number);
    if (with_bad_arguments(call.number) != expected) ++wrong;
  }
  return wrong;
}

// The same for calls that succeed, on the kernel's own files.
int count_failures() {
  int wrong = 0;
  struct stat status {};
  const auto call = [](long number, auto... a) {
    const long arguments[6] = {(long)(a)...};
    return plash_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                         arguments[4], arguments[5]);
  };
  const long fd = call(SYS_open, "/", O_RDONLY | O_DIRECTORY);
  if (fd < 0 || ::fcntl(static_cast<int>(fd), F_GETFD) < 0) ++wrong;
  if (call(SYS_fstat, fd, &status) != 0 || !S_ISDIR(status.st_mode)) ++wrong;
  if (call(SYS_stat, "/", &status) != 0 || !S_ISDIR(status.st_mode)) ++wrong;
  if (call(SYS_close, fd) != 0 || ::fcntl(static_cast<int>(fd), F_GETFD) >= 0) ++wrong;
  char name[4096];
  if (call(SYS_chdir, "/") != 0 || call(SYS_getcwd, name, sizeof name) != 2) ++wrong;
  if (call(SYS_umask, 027) < 0 || call(SYS_umask, 022) != 027) ++wrong;
  if (call(SYS_access, "/none", F_OK) != -ENOENT) ++wrong;
  return wrong;
}

}  // namespace

TEST_CASE("without PLASH_CAPS every emulated call is the kernel's own") {
  CHECK(after_set_up(nullptr, false, count_differences) == 0);
  CHECK(after_set_up(nullptr, false, count_failures) == 0);
  CHECK(after_set_up("PLASH_CAPS_=fs_op=800", false, count_failures) == 0);
}

TEST_CASE("a secure process takes nothing from its environment") {
  CHECK(after_set_up("PLASH_CAPS=fs_op=800;cwd=801", true, count_differences) == 0);
  CHECK(after_set_up("PLASH_CAPS=nonsense", true, count_failures) == 0);
}

TEST_CASE("with a malformed PLASH_CAPS every emulated call fails, and standard error says why") {
  const auto count_served = [] {
    int wrong = 0;
    for (const Emulated &call : emulated_calls) {
      if (call.name != nullptr && with_bad_arguments(call.number) != -ENOSYS) ++wrong;
    }
    // Others are not concerned.
    if (plash_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0) != ::getpid()) ++wrong;
    return wrong;
  };
  const std::string too_long = "fs_op=800;" + std::string(600, 'x') + "=1";
  for (const std::string &value :
       {std::string(), std::string("fs_op"), std::string("fs_op="), std::string("=800"),
        std::string("fs_op=x"), std::string("fs_op=-1"), std::string("fs_op=80 "),
        std::string("fs_op=99999999999999999999"), std::string("fs_op=800;;cwd=801"),
        std::string("cwd=801"), std::string("fs_op=800;cwd=8o1"), too_long}) {
    INFO(value);
    std::string complaint;
    CHECK(after_set_up(("PLASH_CAPS=" + value).c_str(), false, count_served, &complaint) == 0);
    CHECK(complaint.rfind("plash: PLASH_CAPS is malformed", 0) == 0);
    CHECK(complaint.find('\n') == complaint.size() - 1);
  }
}

TEST_CASE("names that the engine does not know are kept for the next program") {
  constexpr char entry[] = "PLASH_CAPS=cwd=801;fs_op_maker=802;fs_op=800;";
  std::string complaint;
  const auto check = [&] {
    const plash::engine::State &state = plash::engine::state;
    return std::string(state.capabilities) == entry && state.fs_op == 800 && state.cwd == 801 ? 0
                                                                                              : 1;
  };
  CHECK(after_set_up(entry, false, check, &complaint) == 0);
  CHECK(complaint.empty());
}

TEST_CASE("the umask is left as it was") {
  const auto check = [] {
    const mode_t mask = ::umask(0);
    return mask == 0123 && plash::engine::umask_of_process() == 0123 ? 0 : 1;
  };
  const mode_t before = ::umask(0123);
  CHECK(after_set_up("PLASH_CAPS=fs_op=800", false, check) == 0);
  ::umask(before);
}
