// SPDX-License-Identifier: LGPL-2.1-or-later
//
// open(2), openat(2), openat2(2): flags, modes, and what the descriptor then is.
#include <linux/openat2.h>
#include <sys/mman.h>

#include "tests/conformance/world.h"

namespace plash::conformance {
namespace {

// The flags of an open file that F_GETFL tells, without O_LARGEFILE's bit.
long status_flags(int fd) { return ::fcntl(fd, F_GETFL); }

void record_open_file(int fd) {
  record("F_GETFL", Octal{static_cast<unsigned long>(status_flags(fd))});
  attempt("F_GETFD", ::fcntl(fd, F_GETFD));
  attempt("position", ::lseek(fd, 0, SEEK_CUR));
}

CALL_CASE(open, creates_with_mode_less_umask) {
  ::umask(027);
  attempt("open", call(SYS_openat, AT_FDCWD, "new", O_WRONLY | O_CREAT, 0666));
  record_status("new", "new");
}

CALL_CASE(open, creates_with_umask_zero) {
  ::umask(0);
  attempt("open", call(SYS_openat, AT_FDCWD, "new", O_WRONLY | O_CREAT, 0666));
  attempt("open", call(SYS_openat, AT_FDCWD, "all-bits", O_WRONLY | O_CREAT, 01777));
  record_status("new", "new");
  record_status("all-bits", "all-bits");
}

CALL_CASE(open, creation_mode_does_not_hold_for_the_creator) {
  const int fd =
      static_cast<int>(attempt("open", call(SYS_openat, AT_FDCWD, "new", O_RDWR | O_CREAT, 0)));
  attempt("write", ::write(fd, "text", 4));
  record_open_file(fd);
  record_status("new", fd);
}

CALL_CASE(open, mode_is_ignored_where_the_file_exists) {
  make_file("file", "text", 0600);
  attempt("open", call(SYS_openat, AT_FDCWD, "file", O_RDWR | O_CREAT, 0777));
  record_status("file", "file");
}

CALL_CASE(open, exclusive) {
  make_file("file", "text");
  make_directory("dir");
  make_symlink("file", "link");
  make_symlink("missing", "dangling");
  for (const char *path : {"file", "dir", "link", "dangling", "new"}) {
    attempt(path, call(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL, 0644));
  }
  record("names", names_in("."));
}

CALL_CASE(open, exclusive_without_create) {
  make_file("file", "text");
  attempt("open", call(SYS_openat, AT_FDCWD, "file", O_RDONLY | O_EXCL, 0));
}

CALL_CASE(open, creates_where_a_dangling_link_points) {
  make_symlink("target", "dangling");
  make_symlink("no-dir/target", "dangling-deep");
  const int fd = static_cast<int>(
      attempt("open", call(SYS_openat, AT_FDCWD, "dangling", O_RDWR | O_CREAT, 0644)));
  attempt("write", ::write(fd, "text", 4));
  attempt("deep", call(SYS_openat, AT_FDCWD, "dangling-deep", O_RDWR | O_CREAT, 0644));
  attempt("with a slash", call(SYS_openat, AT_FDCWD, "dangling/", O_RDWR | O_CREAT, 0644));
}

CALL_CASE(open, truncates) {
  make_file("file", "some text");
  const int fd =
      static_cast<int>(attempt("open", call(SYS_openat, AT_FDCWD, "file", O_WRONLY | O_TRUNC, 0)));
  record_status("file", fd);
  make_file("file", "some text");
  attempt("read-only", call(SYS_openat, AT_FDCWD, "file", O_RDONLY | O_TRUNC, 0));
  record_status("file", "file");
}

CALL_CASE(open, truncates_nothing_else) {
  make_directory("dir");
  attempt("directory", call(SYS_openat, AT_FDCWD, "dir", O_RDONLY | O_TRUNC, 0));
  attempt("directory for writing", call(SYS_openat, AT_FDCWD, "dir", O_RDWR | O_TRUNC, 0));
  make_fifo("fifo");
  attempt("FIFO", call(SYS_openat, AT_FDCWD, "fifo", O_RDWR | O_TRUNC, 0));
}

CALL_CASE(open, append) {
  make_file("file", "one ");
  const int fd =
      static_cast<int>(attempt("open", call(SYS_openat, AT_FDCWD, "file", O_RDWR | O_APPEND, 0)));
  record_open_file(fd);
  attempt("write", ::write(fd, "two", 3));
  record("contents", contents_of("file"));
}

CALL_CASE(open, flags_of_the_open_file) {
  make_file("file", "text");
  for (const int flags :
       {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_NONBLOCK, O_RDONLY | O_SYNC, O_RDONLY | O_DSYNC,
        O_RDONLY | O_NOCTTY, O_RDONLY | O_LARGEFILE, O_RDONLY | O_ASYNC,
        O_WRONLY | O_CREAT | O_APPEND, O_RDONLY | O_NOFOLLOW}) {
    const int fd = static_cast<int>(call(SYS_openat, AT_FDCWD, "file", flags, 0644));
    attempt("open", fd);
    record_open_file(fd);
    ::close(fd);
  }
}

CALL_CASE(open, close_on_exec) {
  make_file("file", "text");
  make_directory("dir");
  for (const char *path : {"file", "dir"}) {
    const int fd =
        static_cast<int>(attempt(path, call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0)));
    attempt("F_GETFD", ::fcntl(fd, F_GETFD));
    record("F_GETFL", Octal{static_cast<unsigned long>(status_flags(fd))});
  }
}

CALL_CASE(open, no_access_time) {
  make_file("file", "text");
  attempt("open", call(SYS_openat, AT_FDCWD, "file", O_RDONLY | O_NOATIME, 0));
  attempt("of another's file", call(SYS_openat, AT_FDCWD, "/usr/bin/env", O_RDONLY | O_NOATIME, 0));
}

CALL_CASE(open, unknown_flags_are_ignored_by_openat) {
  make_file("file", "text");
  attempt("open", call(SYS_openat, AT_FDCWD, "file", O_RDONLY | 0x20000000, 0));
  attempt("access mode 3", call(SYS_openat, AT_FDCWD, "file", O_ACCMODE, 0));
  attempt("FASYNC bit high", call(SYS_openat, AT_FDCWD, "file", O_RDONLY | 0x1000000, 0));
}

CALL_CASE(open, directory_for_writing) {
  make_directory("dir");
  make_symlink("dir", "link");
  for (const int flags : {O_WRONLY, O_RDWR, O_RDONLY | O_CREAT, O_WRONLY | O_CREAT,
                          O_RDONLY | O_CREAT | O_DIRECTORY}) {
    attempt("dir", call(SYS_openat, AT_FDCWD, "dir", flags, 0644));
    attempt("link", call(SYS_openat, AT_FDCWD, "link", flags, 0644));
  }
}

CALL_CASE(open, directory_and_create) {
  attempt("missing", call(SYS_openat, AT_FDCWD, "missing", O_RDONLY | O_CREAT | O_DIRECTORY, 0755));
  make_file("file");
  attempt("file", call(SYS_openat, AT_FDCWD, "file", O_RDONLY | O_CREAT | O_DIRECTORY, 0755));
  attempt("file, O_DIRECTORY alone", call(SYS_openat, AT_FDCWD, "file", O_RDONLY | O_DIRECTORY, 0));
  record("names", names_in("."));
}

CALL_CASE(open, no_follow) {
  make_file("file", "text");
  make_directory("dir");
  make_file("dir/inner", "text");
  make_symlink("file", "link");
  make_symlink("dir", "dir-link");
  make_symlink("missing", "dangling");
  for (const char *path :
       {"file", "dir", "link", "dir-link", "dir-link/", "dir-link/inner", "dangling"}) {
    attempt(path, call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_NOFOLLOW, 0));
    attempt("as directory",
            call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_DIRECTORY, 0));
    attempt("creating", call(SYS_openat, AT_FDCWD, path, O_WRONLY | O_NOFOLLOW | O_CREAT, 0644));
  }
}

CALL_CASE(open, path_only_of_a_file) {
  make_file("file", "text");
  const int fd = static_cast<int>(attempt("open", call(SYS_openat, AT_FDCWD, "file", O_PATH, 0)));
  char byte;
  attempt("read", ::read(fd, &byte, 1));
  attempt("write", ::write(fd, "x", 1));
  attempt("lseek", ::lseek(fd, 0, SEEK_CUR));
  attempt("ftruncate", ::ftruncate(fd, 0));
  attempt("fchmod", ::fchmod(fd, 0600));
  attempt("mmap", ::mmap(nullptr, 1, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
  record("F_GETFL", Octal{static_cast<unsigned long>(status_flags(fd))});
  record_status("fstat", fd);
  attempt("dup", ::dup(fd));
  attempt("fchdir", ::fchdir(fd));
}

CALL_CASE(open, path_only_of_a_directory) {
  make_directory("dir");
  make_file("dir/inner", "text");
  const int fd =
      static_cast<int>(attempt("open", call(SYS_openat, AT_FDCWD, "dir", O_PATH | O_DIRECTORY, 0)));
  char buffer[1024];
  attempt("getdents64", call(SYS_getdents64, fd, buffer, sizeof buffer));
  attempt("read", ::read(fd, buffer, 1));
  attempt("lseek", ::lseek(fd, 0, SEEK_SET));
  attempt("fchmod", ::fchmod(fd, 0700));
  attempt("flock", call(SYS_flock, fd, 1));
  attempt("fsync", ::fsync(fd));
  record_status("fstat", fd);
  record("F_GETFL", Octal{static_cast<unsigned long>(status_flags(fd))});
  attempt("openat", ::openat(fd, "inner", O_RDONLY));
  attempt("fchdir", ::fchdir(fd));
  record("current directory", current_directory());
}

CALL_CASE(open, path_only_of_a_symlink) {
  make_symlink("target text", "link");
  const int fd =
      static_cast<int>(attempt("open", call(SYS_openat, AT_FDCWD, "link", O_PATH | O_NOFOLLOW, 0)));
  record_status("fstat", fd);
  char target[100];
  const long size = attempt("readlinkat", call(SYS_readlinkat, fd, "", target, sizeof target));
  if (size > 0) record("target", std::string(target, static_cast<std::size_t>(size)));
  attempt("openat below", call(SYS_openat, fd, "x", O_RDONLY, 0));
}

CALL_CASE(open, path_only_ignores_other_flags) {
  make_file("file", "text");
  const int fd = static_cast<int>(
      attempt("open", call(SYS_openat, AT_FDCWD, "file",
                           O_PATH | O_RDWR | O_TRUNC | O_CREAT | O_APPEND | O_CLOEXEC, 0)));
  record("F_GETFL", Octal{static_cast<unsigned long>(status_flags(fd))});
  attempt("F_GETFD", ::fcntl(fd, F_GETFD));
  record_status("file", "file");
  attempt("missing", call(SYS_openat, AT_FDCWD, "missing", O_PATH | O_CREAT, 0644));
}

CALL_CASE(open, temporary_file) {
  const int fd =
      static_cast<int>(attempt("open", call(SYS_openat, AT_FDCWD, ".", O_TMPFILE | O_RDWR, 0640)));
  attempt("write", ::write(fd, "text", 4));
  record_status("fstat", fd);
  record("F_GETFL", Octal{static_cast<unsigned long>(status_flags(fd))});
  attempt("read-only", call(SYS_openat, AT_FDCWD, ".", O_TMPFILE | O_RDONLY, 0640));
  attempt("exclusive", call(SYS_openat, AT_FDCWD, ".", O_TMPFILE | O_WRONLY | O_EXCL, 0640));
  attempt("creating too", call(SYS_openat, AT_FDCWD, ".", O_TMPFILE | O_RDWR | O_CREAT, 0640));
  record("names", names_in("."));
}

CALL_CASE(open, name_of_a_removed_file) {
  make_directory("dir");
  make_file("dir/file");
  const int fd = static_cast<int>(call(SYS_openat, AT_FDCWD, "dir/file", O_RDONLY, 0));
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  attempt("unlink", call(SYS_unlink, "dir/file"));
  char text[PATH_MAX];
  const long size = attempt("readlink", call(SYS_readlink, link.c_str(), text, sizeof text));
  record("text", std::string(text, size > 0 ? static_cast<std::size_t>(size) : 0));
  // A number that is the file's follows.
  const int temporary =
      static_cast<int>(call(SYS_openat, AT_FDCWD, "dir", O_TMPFILE | O_RDWR, 0600));
  const std::string other = "/proc/self/fd/" + std::to_string(temporary);
  const long other_size = call(SYS_readlink, other.c_str(), text, sizeof text);
  const std::string name(text, other_size > 0 ? static_cast<std::size_t>(other_size) : 0);
  record("temporary file's name", name.substr(0, name.find('#')));
  record("its end", name.substr(std::min(name.size(), name.find_last_of("0123456789") + 1)));
}

CALL_CASE(open, special_files) {
  make_fifo("fifo");
  attempt("FIFO for both", call(SYS_openat, AT_FDCWD, "fifo", O_RDWR, 0));
  attempt("mknod of a socket", ::mknod("socket", S_IFSOCK | 0644, 0));
  attempt("socket", call(SYS_openat, AT_FDCWD, "socket", O_RDWR, 0));
  attempt("socket as path", call(SYS_openat, AT_FDCWD, "socket", O_PATH, 0));
  const int null =
      static_cast<int>(attempt("/dev/null", call(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0)));
  attempt("write", ::write(null, "text", 4));
  attempt("as directory", call(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY | O_DIRECTORY, 0));
}

CALL_CASE(open, read_only_file) {
  make_file("file", "text", 0444);
  for (const int flags : {O_RDONLY, O_WRONLY, O_RDWR, O_RDONLY | O_TRUNC, O_WRONLY | O_CREAT}) {
    attempt("open", call(SYS_openat, AT_FDCWD, "file", flags, 0644));
  }
}

CALL_CASE(open, program_that_runs) {
  attempt("for writing", call(SYS_openat, AT_FDCWD, "/nonexistent-program", O_WRONLY, 0));
  attempt("for reading", call(SYS_openat, AT_FDCWD, "/usr/bin/env", O_RDONLY, 0));
}

CALL_CASE(open, file_that_was_removed_or_renamed) {
  make_file("file", "text");
  const int fd = static_cast<int>(attempt("open", call(SYS_openat, AT_FDCWD, "file", O_RDWR, 0)));
  attempt("rename", ::rename("file", "renamed"));
  record_status("renamed", fd);
  attempt("unlink", ::unlink("renamed"));
  record_status("removed", fd);
  record("contents", read_all(fd));
}

CALL_CASE(open, same_file_twice_has_two_positions) {
  make_file("file", "text");
  const int first = static_cast<int>(call(SYS_openat, AT_FDCWD, "file", O_RDONLY, 0));
  const int second = static_cast<int>(call(SYS_openat, AT_FDCWD, "file", O_RDONLY, 0));
  char byte;
  attempt("read", ::read(first, &byte, 1));
  attempt("first", ::lseek(first, 0, SEEK_CUR));
  attempt("second", ::lseek(second, 0, SEEK_CUR));
}

CALL_CASE(open, write_then_read_elsewhere) {
  const int writer = static_cast<int>(call(SYS_open, "file", O_WRONLY | O_CREAT, 0644));
  attempt("write", ::write(writer, "one", 3));
  record("contents", contents_of("file"));
  attempt("pwrite", ::pwrite(writer, "two", 3, 10));
  record("contents", contents_of("file"));
}

CALL_CASE(open, root_and_above) {
  attempt("/", call(SYS_openat, AT_FDCWD, "/", O_RDONLY, 0));
  attempt("/..", call(SYS_openat, AT_FDCWD, "/..", O_RDONLY, 0));
  attempt("//", call(SYS_openat, AT_FDCWD, "//", O_RDONLY | O_DIRECTORY, 0));
  attempt("/ for writing", call(SYS_openat, AT_FDCWD, "/", O_RDWR, 0));
  attempt("/ creating", call(SYS_openat, AT_FDCWD, "/", O_RDWR | O_CREAT, 0644));
}

CASE(open, by_creat) {
  make_file("file", "text");
  const int fd = attempt("creat", ::creat("file", 0600));
  record_open_file(fd);
  record_status("file", "file");
  attempt("new", ::creat("new", 0604));
  record_status("new", "new");
  make_directory("dir");
  attempt("directory", ::creat("dir", 0644));
}

CASE(open, by_every_name_of_libc) {
  make_file("file", "text");
  attempt("open64", ::open64("file", O_RDONLY));
  attempt("openat64", ::openat64(AT_FDCWD, "file", O_RDONLY));
  attempt("creat64", ::creat64("new", 0644));
  attempt("open with mode", ::open("newer", O_CREAT | O_RDWR, 0600));
  record_status("newer", "newer");
}

}  // namespace
}  // namespace plash::conformance
