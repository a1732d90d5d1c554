// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Calls over kept sessions: that they are made with two system calls, and that no fork, jump or
// handler ever makes one call take another's reply.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <atomic>
#include <thread>

#include "shim/engine/state.h"
#include "tests/shim/engine/world.h"

using namespace plash;
using namespace plash::testing;

namespace {

constexpr int files = 8;

// Files whose sizes tell them apart.
const std::string &file(int index) {
  static std::string paths[files];
  std::string &path = paths[index];
  if (path.empty()) {
    path = World::get().read_only() + "/size" + std::to_string(index);
    std::ofstream(path) << std::string(static_cast<std::size_t>(index + 1), 'x');
  }
  return path;
}

bool size_is_right(int index) {
  struct stat status {};
  return emulated(SYS_stat, file(index).c_str(), &status) == 0 && status.st_size == index + 1;
}

bool contents_are_right(int index) {
  const long fd = emulated(SYS_open, file(index).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char bytes[files + 1];
  const bool right = ::pread(static_cast<int>(fd), bytes, sizeof bytes, 0) == index + 1;
  return emulated(SYS_close, fd) == 0 && right;
}

bool calls_are_right(int count) {
  bool right = true;
  for (int i = 0; i < count && right; ++i)
    right = size_is_right(i % files) && contents_are_right((i + 3) % files);
  return right;
}

// A process that has just begun, with kept calls; its exit status.
int in_new_process(const std::function<bool()> &body) {
  for (int i = 0; i < files; ++i) file(i);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    engine::state.sessions.enabled = true;
    ::alarm(60);
    ::_exit(body() ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

int session_count() {
  int count = 0;
  for (int fd = first_session_descriptor; fd <= last_session_descriptor; ++fd)
    count += is_session(fd) ? 1 : 0;
  return count;
}

std::uint64_t cookie(int fd) {
  std::uint64_t value = 0;
  socklen_t size = sizeof value;
  ::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &value, &size);
  return value;
}

bool exits_well(pid_t child) {
  int status = -1;
  while (::waitpid(child, &status, __WALL) < 0 && errno == EINTR) continue;
  return status == 0;
}

bool allow_kept_calls_only() {
  static sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmsg, 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_recvmsg, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog filter{sizeof program / sizeof program[0], program};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// Once. A handler that is to run again sets it anew when it is done: at an interval, a machine that
// takes longer for the handler would do nothing else.
void set_timer(long microseconds) {
  const itimerval once{{0, 0}, {0, microseconds}};
  ::setitimer(ITIMER_REAL, &once, nullptr);
}

void on_timer(void (*handler)(int), long microseconds) {
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigaction(SIGALRM, &action, nullptr);
  set_timer(microseconds);
}

void stop_timer() {
  const itimerval none{};
  ::setitimer(ITIMER_REAL, &none, nullptr);
}

}  // namespace

TEST_CASE("a kept call is sendmsg, recvmsg and no other") {
  CHECK(in_new_process([] {
          if (!calls_are_right(20) || session_count() == 0 || !allow_kept_calls_only())
            return false;
          struct stat status;
          char target[64];
          const std::string none = file(0) + "none";
          for (int i = 0; i < 500; ++i) {
            if (emulated(SYS_stat, file(i % files).c_str(), &status) != 0 ||
                status.st_size != i % files + 1 ||
                emulated(SYS_access, none.c_str(), F_OK) != -ENOENT ||
                emulated(SYS_readlink, file(0).c_str(), target, sizeof target) != -EINVAL ||
                emulated(SYS_open, file(1).c_str(), O_RDONLY) < 0) {
              return false;
            }
          }
          return true;
        }) == 0);
}

TEST_CASE("without being asked for there are none") {
  CHECK(in_new_process([] {
          engine::state.sessions.enabled = false;
          return calls_are_right(50) && session_count() == 0;
        }) == 0);
}

TEST_CASE("sessions are not the program's descriptors") {
  CHECK(in_new_process([] {
          if (!calls_are_right(20) || session_count() != static_cast<int>(max_sessions_per_call))
            return false;
          const long number = first_session_descriptor;
          bool good = emulated(SYS_close, number) == -EBADF &&
                      emulated(SYS_dup, number) == -EBADF &&
                      emulated(SYS_dup2, 0, number) == -EBADF &&
                      emulated(SYS_dup3, 0, number, O_CLOEXEC) == -EBADF &&
                      emulated(SYS_fcntl, number, F_GETFD) == -EBADF &&
                      emulated(SYS_close_range, 1000, 2000, 0) == 0;
          // Number by number as the kernel would have given them.
          const long fd = emulated(SYS_open, file(0).c_str(), O_RDONLY);
          good = good && fd == native(SYS_dup, 0) - 1;
          return good && session_count() == static_cast<int>(max_sessions_per_call) &&
                 calls_are_right(20);
        }) == 0);
}

TEST_CASE("a forked child leaves its parent's sessions alone and opens its own") {
  CHECK(in_new_process([] {
          if (!calls_are_right(20)) return false;
          const std::uint64_t mine = cookie(first_session_descriptor);
          const pid_t child = ::fork();
          if (child == 0) {
            const bool right = calls_are_right(3) && calls_are_right(200);
            ::_exit(right && session_count() == static_cast<int>(max_sessions_per_call) &&
                            cookie(first_session_descriptor) != mine
                        ? 0
                        : 1);
          }
          const bool right = calls_are_right(200);
          return exits_well(child) && right && cookie(first_session_descriptor) == mine;
        }) == 0);
}

namespace {
std::atomic<int> forked{0};
}

TEST_CASE("a child that a handler forks amid a call goes on with it alone") {
  CHECK(in_new_process([] {
          if (!calls_are_right(20)) return false;
          static bool is_child;
          static bool failed;
          on_timer(
              [](int) {
                const int saved = errno;
                if (!is_child) {
                  const pid_t child = ::fork();
                  if (child == 0) {
                    is_child = true;
                  } else {
                    if (child > 0) ++forked;
                    set_timer(700);
                  }
                }
                errno = saved;
              },
              700);
          bool right = true;
          for (int i = 0; right && forked < 400; ++i) {
            right = size_is_right(i % files) && contents_are_right((i + 1) % files);
            if (is_child) ::_exit(right && calls_are_right(40) ? 0 : 1);
            int status;
            while (::waitpid(-1, &status, WNOHANG) > 0) failed = failed || status != 0;
          }
          stop_timer();
          if (is_child) ::_exit(right ? 0 : 1);
          int status;
          for (;;) {
            const pid_t child = ::wait(&status);
            if (child < 0 && errno == ECHILD) break;
            if (child > 0) failed = failed || status != 0;
          }
          return right && !failed && calls_are_right(50);
        }) == 0);
}

TEST_CASE("a call that a handler jumps out of takes its session with it") {
  CHECK(in_new_process([] {
          static sigjmp_buf back;
          static volatile sig_atomic_t may_jump;
          if (!calls_are_right(20)) return false;
          on_timer(
              [](int) {
                set_timer(300);
                if (!may_jump) return;
                may_jump = 0;
                siglongjmp(back, 1);
              },
              300);
          static volatile int jumps;
          static volatile bool right;
          jumps = 0;
          right = true;
          static int calls;
          calls = 0;
          while (right && jumps < 300) {
            ++calls;
            const int i = calls;
            if (sigsetjmp(back, 1) == 0) {
              may_jump = 1;
              struct stat status {};
              const int index = i % files;
              const long result = emulated(SYS_stat, file(index).c_str(), &status);
              may_jump = 0;
              right = result == 0 && status.st_size == index + 1;
            } else {
              jumps = jumps + 1;
              right = size_is_right(i % files);
            }
          }
          stop_timer();
          return right && calls_are_right(50);
        }) == 0);
}

TEST_CASE("handlers make calls of their own amid a call, and threads beside each other") {
  CHECK(in_new_process([] {
          static std::atomic<bool> right{true};
          static std::atomic<int> handled{0};
          if (!calls_are_right(20)) return false;
          on_timer(
              [](int) {
                const int saved = errno;
                const int index = handled++ % files;
                if (!size_is_right(index) || !contents_are_right(index)) right = false;
                set_timer(200);
                errno = saved;
              },
              200);
          std::vector<std::thread> threads;
          for (int i = 0; i < 8; ++i) {
            threads.emplace_back([] {
              while (right && handled < 1000)
                if (!calls_are_right(1)) right = false;
            });
          }
          for (std::thread &thread : threads) thread.join();
          stop_timer();
          return right && calls_are_right(50);
        }) == 0);
}

namespace {

// As vfork(2), but with its stack apart.
pid_t clone_with_memory(int (*body)(void *), void *argument, int flags = CLONE_VFORK) {
  static char stacks[2][1 << 18];
  static int turn = 0;
  return ::clone(body, stacks[turn++ % 2] + sizeof stacks[0], CLONE_VM | SIGCHLD | flags, argument);
}

}  // namespace

TEST_CASE("processes that share memory share sessions, and the last of them to open any is right") {
  CHECK(in_new_process([] {
          // Forked, and nobody has made a call: a child in this memory must open none.
          const auto call_much = [](void *) { return calls_are_right(100) ? 0 : 1; };
          if (!exits_well(clone_with_memory(call_much, nullptr))) return false;
          if (session_count() != 0) return false;
          // The parent goes on while the child has its memory: it opens none either.
          const pid_t beside = clone_with_memory(call_much, nullptr, 0);
          bool right = calls_are_right(100);
          if (!exits_well(beside) || !right) return false;
          // Alone again.
          if (!calls_are_right(2000) || session_count() != static_cast<int>(max_sessions_per_call))
            return false;
          const pid_t late = clone_with_memory(call_much, nullptr, 0);
          right = calls_are_right(100);
          return exits_well(late) && right && calls_are_right(100);
        }) == 0);
}

TEST_CASE("a process whose descriptors have no room there makes plain calls") {
  CHECK(in_new_process([] {
          const rlimit limit{200, 4096};
          if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
          return calls_are_right(200) && session_count() == 0;
        }) == 0);
  CHECK(in_new_process([] {
          for (int fd = first_session_descriptor; fd <= last_session_descriptor; ++fd)
            if (::dup2(0, fd) != fd) return false;
          if (!calls_are_right(200) || session_count() != 0) return false;
          // They stay the program's.
          for (int fd = first_session_descriptor; fd <= last_session_descriptor; ++fd)
            if (emulated(SYS_close, fd) != 0) return false;
          return true;
        }) == 0);
}

TEST_CASE("what is written to a FIFO is not lost where its reader is told to come with a pair") {
  const std::string fifo = World::get().writable() + "/fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(in_new_process([&] {
          bool right = calls_are_right(40) && session_count() != 0;
          for (int i = 0; i < 50 && right; ++i) {
            const pid_t writer = ::fork();
            if (writer == 0) {
              ::alarm(60);
              const long fd = emulated(SYS_open, fifo.c_str(), O_WRONLY);
              ::_exit(fd >= 0 && ::write(static_cast<int>(fd), "x", 1) == 1 ? 0 : 1);
            }
            const long fd = emulated(SYS_open, fifo.c_str(), O_RDONLY);
            char byte;
            right = fd >= 0 && ::read(static_cast<int>(fd), &byte, 1) == 1 && exits_well(writer);
            emulated(SYS_close, fd);
          }
          return right;
        }) == 0);
  REQUIRE(::unlink(fifo.c_str()) == 0);
}
