// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fork(2), vfork(2), clone(2), posix_spawn(3), system(3), popen(3), threads.
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <termios.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <thread>

#include "tests/conformance/world.h"

namespace plash::conformance {
namespace {

struct FileActions {
  posix_spawn_file_actions_t actions;
  FileActions() { ::posix_spawn_file_actions_init(&actions); }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions); }
  FileActions(const FileActions &) = delete;
  FileActions &operator=(const FileActions &) = delete;
};

// Spawns a program by path; prints the error or how it ended.
void spawn(std::string_view what, const char *path, std::vector<std::string> arguments,
           const posix_spawn_file_actions_t *actions = nullptr,
           const posix_spawnattr_t *attributes = nullptr, bool search = false) {
  std::vector<char *> pointers;
  for (std::string &argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  pid_t child = -1;
  const int error = (search ? ::posix_spawnp : ::posix_spawn)(&child, path, actions, attributes,
                                                              pointers.data(), environ);
  // What the child prints comes first in every run.
  if (error == 0) record_end("ended", child);
  record_error(what, error);
}

CASE(spawn, plain) {
  spawn("program", program().c_str(), {"show-arguments", "a", "b"});
  spawn("missing", "./missing", {"x"});
  make_file("file", "text");
  spawn("not executable", "./file", {"x"});
  make_file("script", "#!/bin/sh\necho script $1\nexit 3\n", 0755);
  spawn("script", "./script", {"script", "argument"});
  make_file("text", "echo text $1\n", 0755);
  spawn("text", "./text", {"text", "argument"});
}

CASE(spawn, searches_path) {
  spawn("sh", "sh", {"sh", "-c", "exit 5"}, nullptr, nullptr, true);
  spawn("missing", "no-such-program", {"x"}, nullptr, nullptr, true);
}

CASE(spawn, opens_files) {
  make_file("input", "the input");
  FileActions file;
  ::posix_spawn_file_actions_addopen(&file.actions, STDIN_FILENO, "input", O_RDONLY, 0);
  spawn("input", program().c_str(), {"show-input"}, &file.actions);
  ::posix_spawn_file_actions_addopen(&file.actions, STDOUT_FILENO, "output",
                                     O_WRONLY | O_CREAT | O_TRUNC, 0640);
  spawn("output", program().c_str(), {"show-input"}, &file.actions);
  record("output", contents_of("output"));
  record_status("output", "output");
}

CASE(spawn, fails_to_open) {
  FileActions file;
  ::posix_spawn_file_actions_addopen(&file.actions, STDIN_FILENO, "missing", O_RDONLY, 0);
  spawn("missing", program().c_str(), {"show-input"}, &file.actions);
}

CASE(spawn, copies_and_closes) {
  make_file("input", "the input");
  const int fd = must_open("input");
  FileActions file;
  ::posix_spawn_file_actions_adddup2(&file.actions, fd, STDIN_FILENO);
  ::posix_spawn_file_actions_addclose(&file.actions, fd);
  spawn("copied", program().c_str(), {"show-input"}, &file.actions);
  spawn("descriptors", program().c_str(), {"show-descriptors"}, &file.actions);
  FileActions other;
  ::posix_spawn_file_actions_addopen(&other.actions, 9, "input", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&other.actions, 20, ".", O_RDONLY | O_DIRECTORY, 0);
  ::posix_spawn_file_actions_addclosefrom_np(&other.actions, 10);
  spawn("closed above", program().c_str(), {"show-descriptors"}, &other.actions);
  FileActions bad;
  ::posix_spawn_file_actions_adddup2(&bad.actions, 77, 1);
  spawn("bad descriptor", program().c_str(), {"show-descriptors"}, &bad.actions);
}

CASE(spawn, changes_directory) {
  make_directory("dir");
  FileActions path;
  ::posix_spawn_file_actions_addchdir_np(&path.actions, "dir");
  spawn("by path", program().c_str(), {"show-directory"}, &path.actions);
  FileActions descriptor;
  ::posix_spawn_file_actions_addfchdir_np(&descriptor.actions,
                                          must_open("dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  spawn("by descriptor", program().c_str(), {"show-directory"}, &descriptor.actions);
  FileActions missing;
  ::posix_spawn_file_actions_addchdir_np(&missing.actions, "missing");
  spawn("missing", program().c_str(), {"show-directory"}, &missing.actions);
  record("parent", current_directory());
}

CASE(spawn, attributes) {
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGUSR1);
  ::posix_spawnattr_setsigmask(&attributes, &set);
  ::posix_spawnattr_setsigdefault(&attributes, &set);
  ::posix_spawnattr_setflags(
      &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  ::signal(SIGUSR1, SIG_IGN);
  ::signal(SIGUSR2, SIG_IGN);
  spawn("signals", program().c_str(), {"show-signals"}, nullptr, &attributes);
  ::posix_spawnattr_destroy(&attributes);
}

CASE(spawn, many_at_once) {
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&good] {
      for (int round = 0; round < 5; ++round) {
        char name[] = "sh", option[] = "-c", text[] = "exit 7";
        char *const arguments[] = {name, option, text, nullptr};
        pid_t child;
        int status = 0;
        if (::posix_spawn(&child, "/bin/sh", nullptr, nullptr, arguments, environ) == 0 &&
            ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7)
          ++good;
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  record("good", good.load());
}

CASE(shell, system) {
  make_file("file", "text");
  record("exit", WEXITSTATUS(::system("cat file; exit 3")));
  record("signal", WTERMSIG(::system("kill -KILL $$")));
  record("missing", WEXITSTATUS(::system("no-such-program 2>/dev/null")));
  record("shell", ::system(nullptr) != 0);
  record("output", WEXITSTATUS(::system("echo text > new && cd / && pwd")));
}

CASE(shell, popen) {
  FILE *reader = attempt("popen", ::popen("echo one; pwd; exit 4", "r"));
  char line[4200];
  while (std::fgets(line, sizeof line, reader)) record("line", line);
  record("exit", WEXITSTATUS(::pclose(reader)));
  FILE *writer = attempt("popen", ::popen("cat > copy", "w"));
  std::fputs("written", writer);
  record("exit", WEXITSTATUS(::pclose(writer)));
  record("copy", contents_of("copy"));
  attempt("bad mode", ::popen("true", "q"));
}

CASE(process, vfork_and_exec) {
  make_directory("dir");
  const pid_t child = ::vfork();
  if (child == 0) {
    ::execl(program().c_str(), "show-arguments", "from vfork", nullptr);
    ::_exit(1);
  }
  record_end("executed", child);
  const pid_t failing = ::vfork();
  if (failing == 0) {
    ::execl("./missing", "missing", nullptr);
    ::_exit(errno == ENOENT ? 42 : 1);
  }
  record_end("missing", failing);
}

CASE(process, vfork_changes_directory_of_the_child_alone) {
  make_directory("dir");
  const pid_t child = ::vfork();
  if (child == 0) {
    if (::chdir("dir") != 0) ::_exit(1);
    ::execl(program().c_str(), "show-directory", nullptr);
    ::_exit(1);
  }
  record_end("executed", child);
  record("parent", current_directory());
}

int clone_child(void *argument) {
  record("child", current_directory());
  attempt("chdir", ::chdir(static_cast<const char *>(argument)));
  const int fd = ::open("file-of-child", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  record("descriptor", fd);
  return 11;
}

void clone_with(int flags) {
  make_directory("dir");
  constexpr std::size_t size = 256 * 1024;
  char *stack = static_cast<char *>(::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0));
  char directory[] = "dir";
  const pid_t child = ::clone(clone_child, stack + size, flags | SIGCHLD, directory);
  record_end("child", child);
  record("current directory", current_directory());
  attempt("next descriptor", ::open(".", O_RDONLY));
}

CASE(process, clone_plain) { clone_with(0); }
CASE(process, clone_sharing_memory) { clone_with(CLONE_VM | CLONE_VFORK); }
CASE(process, clone_sharing_files) { clone_with(CLONE_FILES); }
CASE(process, clone_sharing_directory) { clone_with(CLONE_FS); }
CASE(process, clone_sharing_all) { clone_with(CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_FS); }

CASE(process, fork_has_its_own_directory) {
  make_directory("dir");
  in_child("child", [] {
    must_change_directory("dir");
    make_file("from-child");
  });
  make_file("from-parent");
  record("current directory", current_directory());
  record("names", names_in("."));
}

CALL_CASE(process, fork_by_number) {
  make_file("file", "text");
  const long child = call(SYS_fork);
  if (child == 0) {
    record("child", contents_of("file"));
    ::_exit(6);
  }
  record_end("child", static_cast<pid_t>(child));
}

CASE(process, orphan_goes_on) {
  int ends[2];
  if (::pipe(ends) != 0) set_up_failed("pipe");
  in_child("child", [&] {
    if (::fork() == 0) {
      ::usleep(50'000);
      make_file("from-orphan", "text");
      if (::write(ends[1], "x", 1) != 1) ::_exit(1);
      ::_exit(0);
    }
  });
  char byte;
  attempt("orphan is done", ::read(ends[0], &byte, 1));
  record("contents", contents_of("from-orphan"));
}

CASE(process, identity) {
  record("real user", ::getuid());
  record("effective user", ::geteuid());
  record("real group", ::getgid());
  record("effective group", ::getegid());
  record("groups", ::getgroups(0, nullptr) >= 0);
  uid_t real, effective, saved;
  attempt("getresuid", ::getresuid(&real, &effective, &saved));
  record("saved user", saved);
}

CASE(thread, share_directory_and_umask) {
  make_directory("dir");
  std::thread([] {
    must_change_directory("dir");
    ::umask(0777);
  }).join();
  record("current directory", current_directory());
  record("umask", Octal{::umask(022)});
}

CASE(thread, many_files) {
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int number = 0; number < 8; ++number) {
    threads.emplace_back([number, &good] {
      for (int round = 0; round < 25; ++round) {
        const std::string name = "file-" + std::to_string(number) + "-" + std::to_string(round);
        make_file(name, name);
        if (contents_of(name) == name && ::rename(name.c_str(), (name + "-moved").c_str()) == 0 &&
            ::unlink((name + "-moved").c_str()) == 0)
          ++good;
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  record("good", good.load());
  record("names", names_in("."));
}

CASE(thread, exclusive_creation_has_one_winner) {
  std::atomic<int> winners{0}, losers{0};
  std::vector<std::thread> threads;
  for (int number = 0; number < 8; ++number) {
    threads.emplace_back([&] {
      for (int round = 0; round < 25; ++round) {
        const int fd = ::open(("file-" + std::to_string(round)).c_str(),
                              O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
        ++(fd >= 0 ? winners : losers);
        if (fd >= 0) ::close(fd);
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  record("winners", winners.load());
  record("losers", losers.load());
}

CASE(thread, own_directory_by_unshare) {
  make_directory("dir");
  std::thread([] {
    attempt("unshare", ::unshare(CLONE_FS));
    must_change_directory("dir");
    record("thread", current_directory());
  }).join();
  record("others", current_directory());
}

// Whether a session's leader that opens a terminal with flags has it as its own then.
void open_in_new_session(Call call, std::string_view what, const std::string &name, int flags) {
  in_child(what, [&] {
    ::setsid();
    const int fd = static_cast<int>(call(SYS_openat, AT_FDCWD, name.c_str(), flags, 0));
    record("opened", fd >= 0);
    record("is the session's", ::tcgetsid(fd) == ::getpid());
    record("/dev/tty", ::open("/dev/tty", O_RDWR) >= 0);
    ::_exit(0);
  });
}

CALL_CASE(terminal, becomes_that_of_the_session) {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || ::grantpt(terminal) != 0 || ::unlockpt(terminal) != 0)
    set_up_failed("posix_openpt");
  const std::string name = ::ptsname(terminal);
  open_in_new_session(call, "write-only", name, O_WRONLY);
  open_in_new_session(call, "O_NOCTTY", name, O_RDWR | O_NOCTTY);
  open_in_new_session(call, "as path", name, O_PATH);
  open_in_new_session(call, "read-only", name, O_RDONLY);
  open_in_new_session(call, "both", name, O_RDWR);
  in_child("no terminal", [&] {
    ::setsid();
    attempt("/dev/tty", call(SYS_openat, AT_FDCWD, "/dev/tty", O_RDWR, 0));
    ::_exit(0);
  });
  in_child("not a leader", [&] {
    const int fd = static_cast<int>(call(SYS_openat, AT_FDCWD, name.c_str(), O_RDWR, 0));
    record("is the session's", ::tcgetsid(fd) == ::getsid(0));
    ::_exit(0);
  });
}

CALL_CASE(identity, becoming_somebody_else) {
  constexpr long other = 23456;
  constexpr long none = -1;
  in_child("user", [&] {
    attempt("setuid", call(SYS_setuid, other));
    ::_exit(0);
  });
  in_child("group", [&] {
    attempt("setgid", call(SYS_setgid, other));
    ::_exit(0);
  });
  in_child("users", [&] {
    attempt("setreuid", call(SYS_setreuid, none, other));
    attempt("setresuid", call(SYS_setresuid, none, none, other));
    ::_exit(0);
  });
  in_child("groups", [&] {
    attempt("setregid", call(SYS_setregid, other, none));
    attempt("setresgid", call(SYS_setresgid, other, other, other));
    const gid_t list[] = {23456, 23457};
    attempt("setgroups", call(SYS_setgroups, 2, list));
    ::_exit(0);
  });
}

CALL_CASE(identity, staying_oneself) {
  const long user = ::getuid();
  const long group = ::getgid();
  constexpr long none = -1;
  attempt("setuid", call(SYS_setuid, user));
  attempt("setgid", call(SYS_setgid, group));
  attempt("setreuid", call(SYS_setreuid, user, none));
  attempt("setregid", call(SYS_setregid, none, group));
  attempt("setresuid", call(SYS_setresuid, user, user, user));
  attempt("setresgid", call(SYS_setresgid, none, none, none));
  attempt("setuid of none", call(SYS_setuid, none));
  attempt("setgid of none", call(SYS_setgid, none));
}

}  // namespace
}  // namespace plash::conformance
