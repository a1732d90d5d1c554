// SPDX-License-Identifier: LGPL-2.1-or-later
//
// posix_spawn(3): actions, attributes, errors.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <vector>

#include "tests/shim/preload/libc.h"
#include "tests/support/catch.h"

using plash::test::Directory;

namespace {

class Actions {
 public:
  Actions() { REQUIRE(posix_spawn_file_actions_init(&actions_) == 0); }
  ~Actions() { posix_spawn_file_actions_destroy(&actions_); }
  posix_spawn_file_actions_t *operator&() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

class Attributes {
 public:
  Attributes() { posix_spawnattr_init(&attributes_); }
  ~Attributes() { posix_spawnattr_destroy(&attributes_); }
  posix_spawnattr_t *operator&() { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

struct Result {
  int error;
  int status;
  std::string output;
};

// Runs a shell command with standard output in a pipe.
Result run(const std::string &command, posix_spawn_file_actions_t *actions,
           posix_spawnattr_t *attributes = nullptr) {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  Actions own;
  if (actions == nullptr) actions = &own;
  REQUIRE(posix_spawn_file_actions_adddup2(actions, ends[1], 1) == 0);
  std::string text = command;
  char *argv[] = {const_cast<char *>("sh"), const_cast<char *>("-c"), text.data(), nullptr};
  pid_t pid = -1;
  Result result = {};
  result.error = posix_spawn(&pid, "/bin/sh", actions, attributes, argv, environ);
  close(ends[1]);
  result.output = plash::test::read_all(ends[0]);
  close(ends[0]);
  if (result.error == 0) REQUIRE(waitpid(pid, &result.status, 0) == pid);
  return result;
}

// What the helper program found, line by line.
class Description {
 public:
  Description(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes) {
    const char *helper = getenv("DESCRIBE_PROCESS");
    REQUIRE(helper != nullptr);
    const Result result = run("exec " + std::string(helper), actions, attributes);
    REQUIRE(result.error == 0);
    REQUIRE(result.status == 0);
    text_ = "\n" + result.output;
  }
  bool says(const std::string &line) const {
    return text_.find("\n" + line + "\n") != std::string::npos;
  }
  bool says(const std::string &what, int number) const {
    return says(what + " " + std::to_string(number));
  }
  bool mentions(const std::string &what) const {
    return text_.find("\n" + what + " ") != std::string::npos;
  }

 private:
  std::string text_;
};

}  // namespace

TEST_CASE("a program is spawned, and its exit status is its own") {
  const Result result = run("echo hello; exit 42", nullptr);
  CHECK(result.error == 0);
  CHECK(result.output == "hello\n");
  CHECK(WEXITSTATUS(result.status) == 42);
}

TEST_CASE("errors of the child are the parent's, and no zombie is left") {
  char *argv[] = {const_cast<char *>("x"), nullptr};
  pid_t pid = 77;
  errno = plash::test::untouched;
  CHECK(posix_spawn(&pid, "/nowhere", nullptr, nullptr, argv, environ) == ENOENT);
  CHECK(errno == plash::test::untouched);
  CHECK(pid == 77);
  CHECK(posix_spawn(&pid, "/etc/passwd", nullptr, nullptr, argv, environ) == EACCES);
  CHECK(posix_spawnp(&pid, "no-such-program", nullptr, nullptr, argv, environ) == ENOENT);
  CHECK(posix_spawnp(&pid, "", nullptr, nullptr, argv, environ) == ENOENT);
  CHECK(waitpid(-1, nullptr, WNOHANG) == -1);
  CHECK(errno == ECHILD);
}

TEST_CASE("posix_spawnp searches PATH and gives no file to the shell") {
  Directory root;
  const int fd = open((root / "script").c_str(), O_WRONLY | O_CREAT, 0755);
  REQUIRE(write(fd, "exit 7\n", 7) == 7);
  close(fd);
  const std::string old = getenv("PATH");
  setenv("PATH", (std::string("/nowhere:") + root.c_str()).c_str(), 1);
  char *argv[] = {const_cast<char *>("script"), nullptr};
  pid_t pid;
  CHECK(posix_spawnp(&pid, "script", nullptr, nullptr, argv, environ) == ENOEXEC);
  setenv("PATH", old.c_str(), 1);
  argv[0] = const_cast<char *>("true");
  REQUIRE(posix_spawnp(&pid, "true", nullptr, nullptr, argv, environ) == 0);
  CHECK(waitpid(pid, nullptr, 0) == pid);
}

TEST_CASE("file actions are done in order") {
  Directory root;
  Actions actions;
  CHECK(posix_spawn_file_actions_addchdir_np(&actions, root.c_str()) == 0);
  CHECK(posix_spawn_file_actions_addopen(&actions, 9, "new", O_WRONLY | O_CREAT, 0640) == 0);
  CHECK(posix_spawn_file_actions_adddup2(&actions, 9, 8) == 0);
  CHECK(posix_spawn_file_actions_addclose(&actions, 9) == 0);
  CHECK(posix_spawn_file_actions_addclose(&actions, 333) == 0);  // not open: no error
  const Result result =
      run("pwd; echo text >&8; (echo x >&9) 2>/dev/null || echo closed", &actions);
  CHECK(result.error == 0);
  CHECK(result.output == root.c_str() + std::string("\nclosed\n"));
  const int fd = open((root / "new").c_str(), O_RDONLY);
  CHECK(plash::test::read_all(fd) == "text\n");
  close(fd);
}

TEST_CASE("a file action that fails is the spawn's error") {
  Actions missing;
  posix_spawn_file_actions_addopen(&missing, 5, "/nowhere/file", O_RDONLY, 0);
  CHECK(run("true", &missing).error == ENOENT);
  Actions closed;
  posix_spawn_file_actions_adddup2(&closed, 444, 5);
  CHECK(run("true", &closed).error == EBADF);
  Actions directory;
  posix_spawn_file_actions_addchdir_np(&directory, "/etc/passwd");
  CHECK(run("true", &directory).error == ENOTDIR);
  Actions impossible;
  CHECK(posix_spawn_file_actions_addclose(&impossible, -1) == EBADF);
  CHECK(posix_spawn_file_actions_adddup2(&impossible, 0, 1 << 30) == EBADF);
}

TEST_CASE("dup2 onto itself clears close-on-exec, and closefrom closes the rest") {
  const int kept = fcntl(0, F_DUPFD_CLOEXEC, 20);
  const int lost = fcntl(0, F_DUPFD, 30);
  Actions actions;
  posix_spawn_file_actions_adddup2(&actions, kept, kept);
  posix_spawn_file_actions_addclosefrom_np(&actions, lost);
  const Description description(&actions, nullptr);
  CHECK(description.says("open", kept));
  CHECK(!description.says("open", lost));
  CHECK(fcntl(kept, F_GETFD) == FD_CLOEXEC);
  close(kept);
  close(lost);
}

TEST_CASE("fchdir changes the child's directory alone") {
  Directory root;
  char before[4096];
  REQUIRE(getcwd(before, sizeof before) != nullptr);
  const int fd = open(root.c_str(), O_RDONLY | O_DIRECTORY);
  Actions actions;
  posix_spawn_file_actions_addfchdir_np(&actions, fd);
  CHECK(run("pwd", &actions).output == root.c_str() + std::string("\n"));
  close(fd);
  char after[4096];
  CHECK(getcwd(after, sizeof after) == std::string(before));
}

TEST_CASE("process group and session") {
  Attributes group;
  posix_spawnattr_setflags(&group, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&group, 0);
  CHECK(Description(nullptr, &group).says("group leader 1"));
  CHECK(Description(nullptr, &group).says("session leader 0"));
  Attributes session;
  posix_spawnattr_setflags(&session, POSIX_SPAWN_SETSID);
  CHECK(Description(nullptr, &session).says("session leader 1"));
  Attributes ids;
  posix_spawnattr_setflags(&ids, POSIX_SPAWN_RESETIDS);
  CHECK(run("echo ok", nullptr, &ids).output == "ok\n");
  Attributes elsewhere;
  posix_spawnattr_setflags(&elsewhere, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&elsewhere, 0x3fffffff);
  CHECK(run("true", nullptr, &elsewhere).error == EPERM);
}

TEST_CASE("signals: mask, defaults, handlers and ignored ones") {
  struct sigaction handle = {};
  handle.sa_handler = [](int) {};
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  struct sigaction old_usr1;
  struct sigaction old_usr2;
  struct sigaction old_hup;
  sigaction(SIGUSR1, &handle, &old_usr1);
  sigaction(SIGUSR2, &ignore, &old_usr2);
  sigaction(SIGHUP, &ignore, &old_hup);
  Attributes attributes;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  posix_spawnattr_setsigdefault(&attributes, &set);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  posix_spawnattr_setsigmask(&attributes, &mask);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  const Description description(nullptr, &attributes);
  CHECK(description.says("blocked", SIGTERM));
  CHECK(!description.says("blocked", SIGHUP));
  CHECK(description.says("ignored", SIGUSR2));
  CHECK(!description.says("ignored", SIGHUP));
  CHECK(!description.says("ignored", SIGUSR1));
  CHECK(!description.mentions("handled"));
  sigset_t now;
  sigprocmask(SIG_SETMASK, nullptr, &now);
  CHECK(sigismember(&now, SIGTERM) == 0);
  struct sigaction still;
  sigaction(SIGUSR1, nullptr, &still);
  CHECK(still.sa_handler == handle.sa_handler);
  sigaction(SIGUSR1, &old_usr1, nullptr);
  sigaction(SIGUSR2, &old_usr2, nullptr);
  sigaction(SIGHUP, &old_hup, nullptr);
}

TEST_CASE("scheduling policy") {
  Attributes attributes;
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSCHEDULER);
  REQUIRE(posix_spawnattr_setschedpolicy(&attributes, SCHED_RR) == 0);
  const sched_param parameters = {1};
  posix_spawnattr_setschedparam(&attributes, &parameters);
  char *argv[] = {const_cast<char *>("true"), nullptr};
  pid_t pid;
  const int error = plash::test::libc<decltype(posix_spawn)>("posix_spawn")(
      &pid, "/bin/true", nullptr, &attributes, argv, environ);
  if (error == 0) {
    waitpid(pid, nullptr, 0);
    CHECK(Description(nullptr, &attributes).says("policy", SCHED_RR));
  } else {
    // An ordinary user may not have it.
    CHECK(run("true", nullptr, &attributes).error == error);
  }
}

TEST_CASE("many actions and many spawns leave no descriptor open") {
  const int before = dup(0);
  close(before);
  for (int i = 0; i < 30; ++i) {
    Actions actions;
    for (int fd = 100; fd < 140; ++fd)
      posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDONLY, 0);
    CHECK(run("echo x", &actions).output == "x\n");
  }
  const int after = dup(0);
  close(after);
  CHECK(after == before);
}
