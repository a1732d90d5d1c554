// SPDX-License-Identifier: LGPL-2.1-or-later
//
// execve(2), execveat(2) and libc's functions over them, with programs and with scripts.
#include <csignal>

#include "tests/conformance/world.h"

namespace plash::conformance {
namespace {

constexpr const char *environment[] = {"TEST_ONE=1", "TEST_TWO=two words", "PATH=/usr/bin:/bin",
                                       nullptr};

// In a child: executes path; prints errno where that fails.
void execute(Call call, std::string_view what, const char *path,
             std::vector<const char *> arguments, const char *const *variables = environment) {
  arguments.push_back(nullptr);
  in_child(what, [&] {
    call(SYS_execve, path, arguments.data(), variables);
    record_error("execve", errno);
    ::_exit(9);
  });
}

// A script that #! line begins.
void make_script(const std::string &path, const std::string &line, mode_t mode = 0755) {
  make_file(path, "#!" + line + "\nscript's text\n", mode);
}

CALL_CASE(exec, arguments) {
  execute(call, "some", program().c_str(), {"show-arguments", "", "with space", "a=b", "-x"});
  execute(call, "none", program().c_str(), {});
}

CALL_CASE(exec, many_arguments) {
  std::vector<const char *> arguments(2000, "argument");
  arguments[0] = "show-environment";
  execute(call, "2000", program().c_str(), arguments);
  static const std::string longest(131'071, 'x'), too_long(131'072, 'x');
  execute(call, "argument of 131071 bytes", program().c_str(),
          {"show-environment", longest.c_str()});
  execute(call, "argument of 131072 bytes", program().c_str(),
          {"show-environment", too_long.c_str()});
}

CALL_CASE(exec, null_vectors) {
  in_child("null arguments", [&] {
    call(SYS_execve, program().c_str(), nullptr, environment);
    record_error("execve", errno);
  });
  in_child("null environment", [&] {
    const char *const arguments[] = {"show-environment", nullptr};
    call(SYS_execve, program().c_str(), arguments, nullptr);
    record_error("execve", errno);
  });
}

CALL_CASE(exec, vectors_that_cannot_be_read) {
  make_file("file", "", 0755);
  in_child("arguments", [&] {
    call(SYS_execve, program().c_str(), 1, environment);
    record_error("execve", errno);
  });
  in_child("an argument", [&] {
    const char *const arguments[] = {"show-environment", reinterpret_cast<const char *>(8),
                                     nullptr};
    call(SYS_execve, program().c_str(), arguments, environment);
    record_error("execve", errno);
  });
}

CALL_CASE(exec, environment_is_what_was_given) {
  execute(call, "given", program().c_str(), {"show-environment"});
  const char *const none[] = {nullptr};
  execute(call, "none", program().c_str(), {"show-environment"}, none);
  const char *const odd[] = {"TEST_A", "TEST_=", "TEST_B=1", "TEST_B=2", nullptr};
  execute(call, "odd", program().c_str(), {"show-environment"}, odd);
}

CALL_CASE(exec, whole_environment) {
  execute(call, "given", program().c_str(), {"show-whole-environment"});
  const char *const none[] = {nullptr};
  execute(call, "none", program().c_str(), {"show-whole-environment"}, none);
}

CALL_CASE(exec, path_after_an_emptied_environment) {
  // What is executed with no environment still has its files.
  make_file("file", "text");
  const char *const none[] = {nullptr};
  execute(call, "cat", "/bin/cat", {"cat", "file"}, none);
  execute(call, "sh", "/bin/sh", {"sh", "-c", "cat file; /usr/bin/env -i /bin/cat file"}, none);
}

CALL_CASE(exec, names_of_the_process) {
  make_symlink(program(), "show-name");
  make_symlink(program(), "a-name-that-is-longer-than-15-bytes");
  execute(call, "relative", "./show-name", {"show-name"});
  execute(call, "other argument 0", "./show-name", {"other", "show-name"});
  execute(call, "long", "./a-name-that-is-longer-than-15-bytes", {"show-name"});
  execute(call, "absolute", program().c_str(), {"show-name"});
}

CALL_CASE(exec, errors) {
  make_file("not-executable", "text", 0644);
  make_file("empty", "", 0755);
  make_file("text", "echo text\n", 0755);
  make_file("binary", std::string("\0\1\2\3garbage", 11), 0755);
  make_file("truncated", "\177ELF", 0755);
  make_file("truncated-header", "\177ELF\2\1\1" + std::string(20, '\0'), 0755);
  make_directory("dir");
  make_fifo("fifo");
  ::chmod("fifo", 0755);
  make_symlink("dangling-target", "dangling");
  make_symlink("loop", "loop");
  for (const char *path :
       {"not-executable", "empty", "text", "binary", "truncated", "truncated-header", "dir", "fifo",
        "dangling", "loop", "missing", "", "empty/", "empty/x", "/", "."}) {
    execute(call, path, path, {"name"});
  }
}

CALL_CASE(exec, open_for_writing) {
  make_script("script", "/bin/sh");
  const int fd = must_open("script", O_WRONLY);
  execute(call, "while open", "./script", {"script"});
  ::close(fd);
}

CALL_CASE(exec, unreadable_program) {
  make_script("script", "/bin/echo", 0111);
  execute(call, "script", "./script", {"script"});
}

CALL_CASE(exec, unreadable_binary) {
  const int from = must_open("/usr/bin/env", O_RDONLY);
  const int to = ::open("env", O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
  char buffer[65536];
  for (ssize_t size; (size = ::read(from, buffer, sizeof buffer)) > 0;) {
    if (::write(to, buffer, static_cast<std::size_t>(size)) != size) set_up_failed("write");
  }
  ::close(to);
  attempt("chmod", ::chmod("env", 0111));
  execute(call, "env", "./env", {"env", "-i", "A=b"});
}

CALL_CASE(exec, missing_then_there) {
  in_child("retry", [&] {
    const char *const arguments[] = {"show-arguments", "second try", nullptr};
    call(SYS_execve, "./missing", arguments, environment);
    record_error("first", errno);
    call(SYS_execve, program().c_str(), arguments, environment);
    record_error("second", errno);
  });
}

CALL_CASE(exec, below_a_descriptor) {
  make_directory("dir");
  make_symlink(program(), "dir/show-arguments");
  const int dir = must_open("dir", O_RDONLY | O_DIRECTORY);
  const char *const arguments[] = {"show-arguments", "x", nullptr};
  in_child("relative", [&] {
    call(SYS_execveat, dir, "show-arguments", arguments, environment, 0);
    record_error("execveat", errno);
  });
  in_child("not followed", [&] {
    call(SYS_execveat, dir, "show-arguments", arguments, environment, AT_SYMLINK_NOFOLLOW);
    record_error("execveat", errno);
  });
  in_child("unknown flag", [&] {
    call(SYS_execveat, dir, "show-arguments", arguments, environment, 0x80000);
    record_error("execveat", errno);
  });
  in_child("directory itself", [&] {
    call(SYS_execveat, dir, "", arguments, environment, AT_EMPTY_PATH);
    record_error("execveat", errno);
  });
}

CALL_CASE(exec, by_descriptor) {
  const char *const arguments[] = {"show-arguments", "x", nullptr};
  for (const int flags : {O_RDONLY, O_RDONLY | O_CLOEXEC, O_PATH, O_PATH | O_CLOEXEC}) {
    const int fd = must_open(program(), flags);
    in_child("execveat", [&] {
      call(SYS_execveat, fd, "", arguments, environment, AT_EMPTY_PATH);
      record_error("execveat", errno);
    });
    ::close(fd);
  }
  in_child("without the flag", [&] {
    call(SYS_execveat, must_open(program()), "", arguments, environment, 0);
    record_error("execveat", errno);
  });
  in_child("bad descriptor", [&] {
    call(SYS_execveat, 99, "", arguments, environment, AT_EMPTY_PATH);
    record_error("execveat", errno);
  });
}

CASE(exec, fexecve) {
  char name[] = "show-arguments", argument[] = "x";
  char *const arguments[] = {name, argument, nullptr};
  char variable[] = "TEST_A=1";
  char *const variables[] = {variable, nullptr};
  in_child("program", [&] {
    ::fexecve(must_open(program()), arguments, variables);
    record_error("fexecve", errno);
  });
  make_file("file", "text");
  in_child("not executable", [&] {
    ::fexecve(must_open("file"), arguments, variables);
    record_error("fexecve", errno);
  });
}

CALL_CASE(script, plain) {
  make_script("script", program());
  make_symlink(program(), "show-arguments");
  make_script("relative", "./show-arguments");
  execute(call, "relative interpreter", "./relative", {"ignored", "one", "two words"});
  execute(call, "without ./", "relative", {"ignored"});
  execute(call, "no arguments", "./relative", {});
}

CALL_CASE(script, lines) {
  make_symlink(program(), "show-arguments");
  const char *const lines[] = {"./show-arguments one",
                               "./show-arguments one two three",
                               "./show-arguments  leading and trailing  ",
                               " \t ./show-arguments\tafter tab",
                               "./show-arguments -x ",
                               "./show-arguments ''",
                               "./show-arguments \\ back"};
  int number = 0;
  for (const char *line : lines) {
    const std::string path = "script-" + std::to_string(number++);
    make_script(path, line);
    execute(call, line, ("./" + path).c_str(), {path.c_str(), "argument"});
  }
}

CALL_CASE(script, bad_lines) {
  make_symlink(program(), "show-arguments");
  make_file("text-interpreter", "plain text\n", 0755);
  make_file("not-executable", "plain text\n", 0644);
  make_directory("dir");
  const std::string lines[] = {"",
                               " ",
                               "./missing",
                               "./not-executable",
                               "./dir",
                               "./text-interpreter",
                               "./show-arguments/x",
                               "./show-arguments " + std::string(300, 'a'),
                               "./" + std::string(300, '.') + "/show-arguments",
                               "./show-arguments\r"};
  int number = 0;
  for (const std::string &line : lines) {
    const std::string path = "script-" + std::to_string(number++);
    make_script(path, line);
    execute(call, line.substr(0, 30), ("./" + path).c_str(), {path.c_str()});
  }
  make_file("no-newline", "#!./show-arguments end", 0755);
  execute(call, "no newline", "./no-newline", {"no-newline"});
  make_file("only-mark", "#!", 0755);
  execute(call, "only #!", "./only-mark", {"only-mark"});
  make_file("nul", std::string("#!./show-arguments a\0b\n", 23), 0755);
  execute(call, "NUL byte", "./nul", {"nul"});
}

CALL_CASE(script, nested) {
  make_symlink(program(), "show-arguments");
  make_script("script-1", "./show-arguments first");
  for (int i = 2; i <= 7; ++i)
    make_script("script-" + std::to_string(i),
                "./script-" + std::to_string(i - 1) + " level-" + std::to_string(i));
  for (int i = 2; i <= 7; ++i)
    execute(call, std::to_string(i), ("./script-" + std::to_string(i)).c_str(), {"x", "argument"});
  make_script("itself", "./itself");
  execute(call, "itself", "./itself", {"itself"});
}

CALL_CASE(script, of_a_shell) {
  make_file("script", "#!/bin/sh -e\necho \"$0\" \"$1\" $#\nfalse\necho not reached\n", 0755);
  execute(call, "script", "./script", {"name", "argument", "other"});
  make_symlink("script", "link");
  execute(call, "by a link", "./link", {"name"});
  execute(call, "absolute", (current_directory() + "/script").c_str(), {"name"});
  make_file("env", "#!/usr/bin/env sh\necho env \"$0\"\n", 0755);
  execute(call, "env", "./env", {"name"});
}

CALL_CASE(script, by_descriptor) {
  // The interpreter opens /dev/fd/N, which close-on-exec would have closed: ENOENT then.
  make_file("script", "#!/bin/sh\necho ran\n", 0755);
  const char *const arguments[] = {"name", nullptr};
  for (const int flags : {O_RDONLY, O_RDONLY | O_CLOEXEC}) {
    const int fd = must_open("script", flags);
    in_child("execveat", [&] {
      call(SYS_execveat, fd, "", arguments, environment, AT_EMPTY_PATH);
      record_error("execveat", errno);
    });
    ::close(fd);
  }
}

CALL_CASE(script, below_a_descriptor) {
  make_directory("dir");
  make_file("dir/script", "#!/bin/sh\necho ran\n", 0755);
  const int dir = must_open("dir", O_RDONLY | O_DIRECTORY);
  const char *const arguments[] = {"name", nullptr};
  in_child("execveat", [&] {
    call(SYS_execveat, dir, "script", arguments, environment, 0);
    record_error("execveat", errno);
  });
}

CASE(exec, without_a_format_libc_asks_the_shell) {
  make_file("text", "echo from text \"$1\"\n", 0755);
  in_child("execvp", [] {
    ::setenv("PATH", ".:/usr/bin:/bin", 1);
    char name[] = "text", argument[] = "argument";
    char *const arguments[] = {name, argument, nullptr};
    ::execvp("text", arguments);
    record_error("execvp", errno);
  });
  in_child("execv", [] {
    char name[] = "text";
    char *const arguments[] = {name, nullptr};
    ::execv("./text", arguments);
    record_error("execv", errno);
  });
}

CASE(exec, search_in_path) {
  make_directory("a");
  make_directory("b");
  make_file("a/tool", "#!/bin/sh\necho a\n", 0644);
  make_file("b/tool", "#!/bin/sh\necho b\n", 0755);
  for (const char *path : {"a:b:/bin", "a", "b", "missing:b", "::/bin", "/bin/sh:b"}) {
    in_child(path, [&] {
      ::setenv("PATH", path, 1);
      ::execlp("tool", "tool", nullptr);
      record_error("execlp", errno);
    });
  }
}

CASE(exec, by_every_name_of_libc) {
  char name[] = "show-arguments", argument[] = "x";
  char *const arguments[] = {name, argument, nullptr};
  char variable[] = "TEST_A=1";
  char *const variables[] = {variable, nullptr};
  const char *path = program().c_str();
  in_child("execv", [&] { ::execv(path, arguments); });
  in_child("execve", [&] { ::execve(path, arguments, variables); });
  in_child("execvp", [&] { ::execvp(path, arguments); });
  in_child("execvpe", [&] { ::execvpe(path, arguments, variables); });
  in_child("execl", [&] { ::execl(path, "show-arguments", "l", nullptr); });
  in_child("execlp", [&] { ::execlp(path, "show-arguments", "lp", nullptr); });
  in_child("execle", [&] { ::execle(path, "show-environment", nullptr, variables); });
  in_child("execveat", [&] { ::execveat(AT_FDCWD, path, arguments, variables, 0); });
}

CASE(exec, keeps_and_resets_signals) {
  in_child("executed", [] {
    ::signal(SIGUSR1, SIG_IGN);
    ::signal(SIGUSR2, [](int) {});
    sigset_t blocked;
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &blocked, nullptr);
    ::execl(program().c_str(), "show-signals", nullptr);
  });
}

CASE(exec, keeps_directory_umask_and_standard_input) {
  make_directory("dir");
  make_file("input", "text for the program");
  in_child("executed", [] {
    ::dup2(must_open("input"), STDIN_FILENO);
    must_change_directory("dir");
    ::umask(067);
    ::execl(program().c_str(), "show-directory", nullptr);
  });
  in_child("executed", [] {
    ::dup2(must_open("input"), STDIN_FILENO);
    ::execl(program().c_str(), "show-input", nullptr);
  });
}

CASE(exec, in_a_removed_directory) {
  make_directory("dir");
  must_change_directory("dir");
  ::rmdir("../dir");
  in_child("executed", [] {
    ::execl("/bin/sh", "sh", "-c", "echo ran; cat ../missing 2>/dev/null || echo none", nullptr);
    record_error("execl", errno);
  });
}

}  // namespace
}  // namespace plash::conformance
