// SPDX-License-Identifier: LGPL-2.1-or-later
//
// exec*(3), system(3), popen(3), fork(2), vfork(2).
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <functional>

#include "tests/shim/preload/libc.h"
#include "tests/support/catch.h"

using plash::test::Directory;
using plash::test::outcome;
using plash::test::Outcome;

namespace {

struct Result {
  int status;
  std::string output;
};

// Runs something that executes a program in a child, standard output in a pipe. It exits with errno
// where nothing was executed.
Result in_child(const std::function<void()> &execute) {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 1);
    execute();
    _exit(errno);
  }
  close(ends[1]);
  Result result;
  result.output = plash::test::read_all(ends[0]);
  close(ends[0]);
  REQUIRE(waitpid(child, &result.status, 0) == child);
  return result;
}

void make_script(const std::string &path, const std::string &text, mode_t mode = 0755) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT, mode);
  REQUIRE(write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  close(fd);
}

}  // namespace

TEST_CASE("the exec functions execute with their arguments and environment") {
  char *const argv[] = {const_cast<char *>("echo"), const_cast<char *>("a"),
                        const_cast<char *>("b c"), nullptr};
  char *const envp[] = {const_cast<char *>("ONE=1"), nullptr};
  CHECK(in_child([&] { execv("/bin/echo", argv); }).output == "a b c\n");
  CHECK(in_child([&] { execve("/bin/echo", argv, envp); }).output == "a b c\n");
  CHECK(in_child([&] { execvp("echo", argv); }).output == "a b c\n");
  CHECK(in_child([&] { execl("/bin/echo", "echo", "x", "y", nullptr); }).output == "x y\n");
  CHECK(in_child([&] {
          execlp("echo", "echo", "1", "2", "3", "4", "5", "6", "7", "8", nullptr);
        }).output == "1 2 3 4 5 6 7 8\n");
  const auto is_given = [](const std::string &output) {
    // In a sandbox exec puts what it needs behind it.
    return output.rfind("ONE=1\n", 0) == 0 && output.find("\nPATH=") == std::string::npos;
  };
  CHECK(is_given(in_child([&] { execle("/usr/bin/env", "env", nullptr, envp); }).output));
  char *const env_argv[] = {const_cast<char *>("env"), nullptr};
  CHECK(is_given(in_child([&] { execvpe("env", env_argv, envp); }).output));
  CHECK(in_child([&] {
          const int fd = open("/bin/echo", O_RDONLY | O_CLOEXEC);
          fexecve(fd, argv, envp);
        }).output == "a b c\n");
  CHECK(in_child([&] { execveat(AT_FDCWD, "/bin/echo", argv, envp, 0); }).output == "a b c\n");
}

TEST_CASE("exec errors are libc's, and exec can be tried again") {
  char *const argv[] = {const_cast<char *>("x"), nullptr};
  CHECK(outcome([&] { return execv("/nowhere", argv); }) == Outcome{-1, ENOENT});
  CHECK(outcome([&] { return execv("/etc/passwd", argv); }) == Outcome{-1, EACCES});
  CHECK(outcome([&] { return execvp("", argv); }) == Outcome{-1, ENOENT});
  CHECK(outcome([&] { return execvp("no-such-program", argv); }) == Outcome{-1, ENOENT});
  CHECK(outcome([&] { return execvp(std::string(300, 'x').c_str(), argv); }) ==
        Outcome{-1, ENAMETOOLONG});
  CHECK(outcome([&] { return fexecve(-1, argv, environ); }) == Outcome{-1, EINVAL});
  CHECK(in_child([&] {
          execl("/nowhere", "x", nullptr);
          execl("/bin/echo", "echo", "second", nullptr);
        }).output == "second\n");
}

TEST_CASE("execvp searches PATH, remembers EACCES and gives scripts to the shell") {
  Directory root;
  mkdir((root / "one").c_str(), 0755);
  mkdir((root / "two").c_str(), 0755);
  make_script(root / "one/program", "echo not me\n", 0644);
  const std::string old = getenv("PATH");
  setenv("PATH", ((root / "one") + ":" + (root / "missing") + ":" + (root / "two")).c_str(), 1);
  CHECK(outcome([] { return execlp("program", "program", nullptr); }) == Outcome{-1, EACCES});
  make_script(root / "two/program", "echo script $0 $1 $#\n");
  CHECK(in_child([] { execlp("program", "program", "argument", nullptr); }).output ==
        "script " + (root / "two/program") + " argument 1\n");
  setenv("PATH", old.c_str(), 1);
  make_script(root / "interpreted", "#!/bin/echo  one argument with spaces\n");
  CHECK(in_child([&] { execl((root / "interpreted").c_str(), "x", "last", nullptr); }).output ==
        "one argument with spaces " + (root / "interpreted") + " last\n");
}

TEST_CASE("exec in a vfork child, and a child's directory is its own") {
  Directory root;
  char before[4096];
  REQUIRE(getcwd(before, sizeof before) != nullptr);
  int status;
  const pid_t child = vfork();
  if (child == 0) {
    execlp("sh", "sh", "-c", "exit 5", nullptr);
    _exit(1);
  }
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 5);
  const pid_t mover = fork();
  if (mover == 0) _exit(chdir(root.c_str()) == 0 ? 0 : 1);
  REQUIRE(waitpid(mover, &status, 0) == mover);
  CHECK(status == 0);
  char after[4096];
  CHECK(getcwd(after, sizeof after) == std::string(before));
}

TEST_CASE("children of clone make calls of their own, sharing memory and descriptors or not") {
  for (const int flags : {0, CLONE_VM | CLONE_VFORK, CLONE_VM | CLONE_FILES}) {
    INFO(flags);
    static char stack[64 * 1024];
    struct Task {
      int fd;
    } task = {-1};
    const auto run = [](void *argument) {
      auto *task = static_cast<Task *>(argument);
      task->fd = open("/etc/passwd", O_RDONLY);
      return access("/nowhere", F_OK) == -1 && task->fd >= 0 ? 17 : 1;
    };
    const pid_t child = clone(run, stack + sizeof stack, flags | SIGCHLD, &task);
    REQUIRE(child > 0);
    int status;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WEXITSTATUS(status) == 17);
    // A shared descriptor is the parent's, too.
    if ((flags & CLONE_FILES) != 0) CHECK(close(task.fd) == 0);
    if ((flags & CLONE_FILES) == 0 && (flags & CLONE_VM) != 0) {
      CHECK(outcome([&] { return close(task.fd); }) == Outcome{-1, EBADF});
    }
  }
}

TEST_CASE("system gives the shell's status and restores signals") {
  struct sigaction before;
  sigaction(SIGINT, nullptr, &before);
  CHECK(WEXITSTATUS(system("exit 123")) == 123);
  CHECK(WTERMSIG(system("kill -9 $$")) == SIGKILL);
  CHECK(system(nullptr) == 1);
  struct sigaction action;
  sigaction(SIGINT, nullptr, &action);
  CHECK(action.sa_handler == before.sa_handler);
  sigset_t mask;
  sigprocmask(SIG_SETMASK, nullptr, &mask);
  CHECK(sigismember(&mask, SIGCHLD) == 0);
  // SIGINT is ignored here meanwhile, and not in the shell.
  CHECK(WTERMSIG(system("kill -INT $PPID; kill -INT $$")) == SIGINT);
}

TEST_CASE("popen reads and writes, pclose gives the status") {
  FILE *stream = popen("echo text; exit 3", "r");
  REQUIRE(stream != nullptr);
  char text[16] = "";
  CHECK(fgets(text, sizeof text, stream) == std::string("text\n"));
  CHECK(WEXITSTATUS(pclose(stream)) == 3);
  Directory root;
  stream = popen(("cat > " + (root / "file")).c_str(), "w");
  fputs("written", stream);
  CHECK(pclose(stream) == 0);
  const int fd = open((root / "file").c_str(), O_RDONLY);
  CHECK(plash::test::read_all(fd) == "written");
  close(fd);
  for (const char *mode : {"", "rw", "x", "a", "e"}) {
    CHECK(outcome([&] { return popen("true", mode) == nullptr; }) == Outcome{1, EINVAL});
  }
}

TEST_CASE("popen streams are closed in later children, and close on exec on demand") {
  FILE *first = popen("cat", "w");
  FILE *with_e = popen("cat", "we");
  CHECK(fcntl(fileno(first), F_GETFD) == 0);
  CHECK(fcntl(fileno(with_e), F_GETFD) == FD_CLOEXEC);
  REQUIRE(getenv("DESCRIBE_PROCESS") != nullptr);
  FILE *second = popen(getenv("DESCRIBE_PROCESS"), "r");
  REQUIRE(second != nullptr);
  const std::string open_there = plash::test::read_all(fileno(second));
  CHECK(open_there.find("open 1\n") != std::string::npos);
  CHECK(open_there.find("open " + std::to_string(fileno(first)) + "\n") == std::string::npos);
  CHECK(pclose(second) == 0);
  // Each cat ends when its standard input does: nobody else holds the other end.
  CHECK(pclose(first) == 0);
  CHECK(pclose(with_e) == 0);
}
