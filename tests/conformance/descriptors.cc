// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Numbers of descriptors: the lowest free one, copies, ranges, limits, and what of them survives
// exec.
#include <linux/close_range.h>
#include <sys/resource.h>

#include "tests/conformance/world.h"

namespace plash::conformance {
namespace {

std::vector<int> open_descriptors(int below = 256) {
  std::vector<int> numbers;
  for (int fd = 0; fd < below; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) numbers.push_back(fd);
  }
  return numbers;
}

void fill(int until) {
  make_file("file", "text");
  while (must_open("file") < until) {
  }
}

CALL_CASE(descriptors, at_the_start) { record("open", open_descriptors()); }

CALL_CASE(descriptors, lowest_free_one_is_taken) {
  make_directory("dir");
  fill(12);
  for (const int hole : {5, 8, 11}) ::close(hole);
  attempt("file", call(SYS_openat, AT_FDCWD, "file", O_RDONLY, 0));
  attempt("directory", call(SYS_openat, AT_FDCWD, "dir", O_RDONLY, 0));
  attempt("failing", call(SYS_openat, AT_FDCWD, "missing", O_RDONLY, 0));
  attempt("file", call(SYS_openat, AT_FDCWD, "file", O_RDONLY, 0));
  attempt("file", call(SYS_openat, AT_FDCWD, "file", O_RDONLY, 0));
}

CALL_CASE(descriptors, standard_ones_closed) {
  make_file("file", "text");
  make_directory("dir");
  const int output = ::dup(STDOUT_FILENO);
  ::close(0);
  ::close(1);
  ::close(2);
  const long file = call(SYS_openat, AT_FDCWD, "file", O_RDONLY, 0);
  const long directory = call(SYS_openat, AT_FDCWD, "dir", O_RDONLY, 0);
  const long path = call(SYS_openat, AT_FDCWD, "file", O_PATH, 0);
  struct stat status;
  const long looked = call(SYS_stat, "file", &status);
  ::dup2(output, STDOUT_FILENO);
  record("file", file);
  record("directory", directory);
  record("path", path);
  record("stat", looked);
}

CALL_CASE(descriptors, no_call_leaves_one_behind) {
  make_file("file", "text");
  make_directory("dir");
  make_symlink("loop", "loop");
  struct stat status;
  char buffer[1000];
  const int dir = must_open("dir", O_RDONLY | O_DIRECTORY);
  for (int i = 0; i < 50; ++i) {
    call(SYS_stat, "file", &status);
    call(SYS_stat, "missing", &status);
    call(SYS_openat, AT_FDCWD, "missing", O_RDONLY, 0);
    call(SYS_openat, AT_FDCWD, "loop", O_RDONLY, 0);
    call(SYS_mkdir, "dir", 0755);
    call(SYS_chdir, "dir");
    call(SYS_chdir, "..");
    call(SYS_getcwd, buffer, sizeof buffer);
    call(SYS_rename, "file", "renamed");
    call(SYS_rename, "renamed", "file");
    call(SYS_getdents64, dir, buffer, sizeof buffer);
    call(SYS_execve, "file", nullptr, nullptr);
    call(SYS_readlink, "loop", buffer, sizeof buffer);
  }
  record("open", open_descriptors(1000));
}

CALL_CASE(descriptors, copies) {
  make_file("file", "text");
  const int fd = must_open("file");
  attempt("dup", call(SYS_dup, fd));
  attempt("dup2", call(SYS_dup2, fd, 40));
  attempt("dup2 to itself", call(SYS_dup2, fd, fd));
  attempt("dup2 of a closed one to itself", call(SYS_dup2, 50, 50));
  attempt("dup3 to itself", call(SYS_dup3, fd, fd, 0));
  attempt("dup3", call(SYS_dup3, fd, 41, O_CLOEXEC));
  attempt("dup3, unknown flag", call(SYS_dup3, fd, 42, O_NONBLOCK));
  attempt("dup2 of a closed one", call(SYS_dup2, 99, 43));
  attempt("dup2 to -1", call(SYS_dup2, fd, -1));
  attempt("dup2 beyond the limit", call(SYS_dup2, fd, 100'000'000));
  attempt("dup of -1", call(SYS_dup, -1));
  attempt("F_DUPFD", call(SYS_fcntl, fd, F_DUPFD, 10));
  attempt("F_DUPFD, negative", call(SYS_fcntl, fd, F_DUPFD, -1));
  attempt("F_GETFD", call(SYS_fcntl, 41, F_GETFD));
  record("open", open_descriptors());
}

CALL_CASE(descriptors, close_range) {
  fill(12);
  attempt("5 to 7", call(SYS_close_range, 5, 7, 0));
  record("open", open_descriptors());
  attempt("close on exec", call(SYS_close_range, 9, 10, CLOSE_RANGE_CLOEXEC));
  attempt("F_GETFD", ::fcntl(9, F_GETFD));
  attempt("F_GETFD", ::fcntl(11, F_GETFD));
  attempt("first above last", call(SYS_close_range, 8, 7, 0));
  attempt("unknown flag", call(SYS_close_range, 8, 9, 64));
  attempt("all above 2", call(SYS_close_range, 3, ~0u, 0));
  record("open", open_descriptors());
  attempt("file afterwards", call(SYS_openat, AT_FDCWD, "file", O_RDONLY, 0));
}

CALL_CASE(descriptors, close_range_unshared) {
  fill(8);
  attempt("close_range", call(SYS_close_range, 4, ~0u, CLOSE_RANGE_UNSHARE));
  record("open", open_descriptors());
  attempt("file afterwards", call(SYS_openat, AT_FDCWD, "file", O_RDONLY, 0));
}

CALL_CASE(descriptors, everything_closed_one_by_one) {
  fill(8);
  for (int fd = 3; fd < 4096; ++fd) call(SYS_close, fd);
  record("open", open_descriptors());
  attempt("file afterwards", call(SYS_openat, AT_FDCWD, "file", O_RDONLY, 0));
  record("current directory", current_directory());
}

CASE(descriptors, closefrom) {
  fill(12);
  ::closefrom(6);
  record("open", open_descriptors());
  attempt("file afterwards", ::open("file", O_RDONLY));
}

CALL_CASE(descriptors, list_in_proc) {
  ::dup2(0, 900);
  make_directory("7");
  make_directory("1020");
  const std::string threads = "/proc/self/task/" + std::to_string(::getpid());
  for (const std::string &path :
       {std::string("/proc/self/fd"), std::string("/proc/self/fdinfo"), std::string("/dev/fd"),
        "/proc/" + std::to_string(::getpid()) + "/fd", threads + "/fd", threads + "/fdinfo",
        std::string(".")}) {
    const int fd =
        static_cast<int>(call(SYS_openat, AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY, 0));
    // A buffer for three names and more: several pages.
    std::vector<std::string> names;
    char buffer[80];
    for (long size; (size = call(SYS_getdents64, fd, buffer, sizeof buffer)) > 0;) {
      for (long at = 0; at < size;) {
        unsigned short record;
        std::memcpy(&record, buffer + at + 16, sizeof record);
        names.emplace_back(buffer + at + 19);
        at += record;
      }
    }
    std::sort(names.begin(), names.end());
    record(path.substr(path.find_last_of('/') + 1), names);
    ::close(fd);
  }
  // Another process's.
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  record("child's", names_in(("/proc/" + std::to_string(child) + "/fd").c_str()));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

CALL_CASE(descriptors, all_that_are_opened_can_be_closed) {
  make_file("file", "text");
  std::vector<int> opened;
  for (int fd; (fd = static_cast<int>(call(SYS_openat, AT_FDCWD, "file", O_RDONLY, 0))) >= 0;)
    opened.push_back(fd);
  record_error("the last", errno);
  int failures = 0;
  for (const int fd : opened) failures += call(SYS_close, fd) != 0 ? 1 : 0;
  record("failures to close", failures);
  while (::dup(0) >= 0) {
  }
  record_error("dup", errno);
  ::closefrom(3);
  attempt("open", call(SYS_openat, AT_FDCWD, "file", O_RDONLY, 0));
}

CALL_CASE(descriptors, limit) {
  make_file("file", "text");
  make_directory("dir");
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) set_up_failed("getrlimit");
  limit.rlim_cur = 8;
  attempt("setrlimit", call(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, nullptr));
  rlimit now{};
  attempt("getrlimit", call(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, &now));
  record("limit", now.rlim_cur);
  for (int i = 0; i < 4; ++i) {
    attempt("file", call(SYS_openat, AT_FDCWD, "file", O_RDONLY, 0));
    attempt("directory", call(SYS_openat, AT_FDCWD, "dir", O_RDONLY, 0));
  }
  attempt("dup2 to the limit", call(SYS_dup2, 0, 8));
  attempt("dup2 below the limit", call(SYS_dup2, 0, 7));
}

CALL_CASE(descriptors, at_the_limit_paths_still_work) {
  make_file("file", "text");
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = 6;
  attempt("setrlimit", ::setrlimit(RLIMIT_NOFILE, &limit));
  while (::open("file", O_RDONLY) >= 0) {
  }
  record_error("open", errno);
  struct stat status;
  attempt("stat", call(SYS_stat, "file", &status));
  attempt("mkdir", call(SYS_mkdir, "dir", 0755));
  attempt("chdir", call(SYS_chdir, "dir"));
  attempt("unlink", call(SYS_unlink, "../file"));
}

CALL_CASE(descriptors, limit_that_the_process_has) {
  rlimit limit{};
  attempt("getrlimit", call(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, &limit));
  record("soft limit is at least 256", limit.rlim_cur >= 256);
  attempt("dup2 to the highest below it",
          call(SYS_dup2, 0, limit.rlim_cur - 1) == static_cast<long>(limit.rlim_cur) - 1 ? 0 : -1);
  attempt("dup2 to the limit itself", call(SYS_dup2, 0, limit.rlim_cur));
}

CALL_CASE(descriptors, close_on_exec_across_exec) {
  make_file("file", "text");
  make_directory("dir");
  attempt("file", call(SYS_openat, AT_FDCWD, "file", O_RDONLY | O_CLOEXEC, 0));
  attempt("file", call(SYS_openat, AT_FDCWD, "file", O_RDONLY, 0));
  attempt("directory", call(SYS_openat, AT_FDCWD, "dir", O_RDONLY | O_CLOEXEC, 0));
  attempt("directory", call(SYS_openat, AT_FDCWD, "dir", O_RDONLY, 0));
  in_child("executed", [&] {
    const char *const arguments[] = {"show-descriptors", nullptr};
    call(SYS_execve, program().c_str(), arguments, environ);
  });
}

CALL_CASE(descriptors, position_is_shared_with_the_child) {
  make_file("file", "0123456789");
  const int fd = static_cast<int>(attempt("open", call(SYS_openat, AT_FDCWD, "file", O_RDONLY, 0)));
  in_child("child", [&] {
    char buffer[4];
    attempt("read", ::read(fd, buffer, sizeof buffer));
  });
  attempt("position", ::lseek(fd, 0, SEEK_CUR));
}

CALL_CASE(descriptors, names_in_dev_fd) {
  make_file("file", "0123456789");
  make_directory("dir");
  const int file = must_open("file", O_RDWR), dir = must_open("dir", O_RDONLY | O_DIRECTORY);
  char byte;
  attempt("read", ::read(file, &byte, 1));
  const int copy = static_cast<int>(attempt(
      "file",
      call(SYS_openat, AT_FDCWD, ("/dev/fd/" + std::to_string(file)).c_str(), O_RDONLY, 0)));
  attempt("position", ::lseek(copy, 0, SEEK_CUR));
  attempt("directory",
          call(SYS_openat, AT_FDCWD, ("/dev/fd/" + std::to_string(dir)).c_str(), O_RDONLY, 0));
  attempt("closed", call(SYS_openat, AT_FDCWD, "/dev/fd/99", O_RDONLY, 0));
  struct stat status;
  attempt("stat", call(SYS_stat, ("/dev/fd/" + std::to_string(file)).c_str(), &status));
  record("size", status.st_size);
  attempt("/dev/stdin", call(SYS_openat, AT_FDCWD, "/dev/stdin", O_RDONLY, 0));
}

std::string link_of(Call call, int fd) {
  char text[4096];
  const long length = call(SYS_readlink, ("/proc/self/fd/" + std::to_string(fd)).c_str(), text,
                           static_cast<long>(sizeof text));
  return length < 0 ? error_name(errno) : std::string(text, static_cast<std::size_t>(length));
}

CALL_CASE(descriptors, links_of_removed_files) {
  make_file("file", "text");
  make_directory("dir");
  const int file = must_open("file", O_RDWR), dir = must_open("dir", O_RDONLY | O_DIRECTORY);
  record("file", link_of(call, file));
  ::unlink("file");
  record("removed", link_of(call, file));
  make_file("file", "another");
  record("removed, and another in its place", link_of(call, file));
  ::rmdir("dir");
  record("removed directory", link_of(call, dir));
  // The rest of its name is its number.
  const std::string unnamed = link_of(call, must_open(".", O_RDWR | O_TMPFILE));
  record("unnamed", unnamed.substr(0, unnamed.rfind('#')) + unnamed.substr(unnamed.rfind(' ')));
  record("memory", link_of(call, static_cast<int>(::syscall(SYS_memfd_create, "name", 0))));
}

}  // namespace
}  // namespace plash::conformance
