// SPDX-License-Identifier: LGPL-2.1-or-later
//
// chmod(2), chown(2), utimensat(2), truncate(2) and their relatives. Set-user-ID bits and owners
// that only root may give depend on who runs the case, natively as well.
#include <sys/time.h>
#include <utime.h>

#include <ctime>

#include "tests/conformance/world.h"

namespace plash::conformance {
namespace {

void record_times(std::string_view what, const char *path) {
  struct stat status;
  if (::lstat(path, &status) != 0) {
    record_error(what, errno);
    return;
  }
  const auto text = [](const timespec &time) {
    timespec now;
    ::clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec - time.tv_sec < 60 && time.tv_sec <= now.tv_sec
               ? std::string("now")
               : std::to_string(time.tv_sec) + "." + std::to_string(time.tv_nsec);
  };
  record(what, text(status.st_atim) + ", " + text(status.st_mtim));
}

CALL_CASE(chmod, modes) {
  make_file("file");
  make_directory("dir");
  for (const mode_t mode : {0u, 0777u, 0444u, 01777u, 0600u}) {
    attempt("file", call(SYS_chmod, "file", mode));
    record_status("file", "file");
    attempt("directory", call(SYS_chmod, "dir", mode));
    record_status("dir", "dir");
  }
}

CALL_CASE(chmod, set_id_bits) {
  make_file("file");
  make_directory("dir");
  attempt("set-user-ID", call(SYS_chmod, "file", 04755));
  record_status("file", "file");
  attempt("set-group-ID", call(SYS_chmod, "file", 02755));
  record_status("file", "file");
  attempt("set-group-ID of a directory", call(SYS_chmod, "dir", 02755));
  record_status("dir", "dir");
  attempt("type bits", call(SYS_chmod, "file", S_IFDIR | 0640));
  record_status("file", "file");
}

CALL_CASE(chmod, through_a_link) {
  make_file("file");
  make_symlink("file", "link");
  attempt("chmod", call(SYS_chmod, "link", 0600));
  record_status("file", "file");
  record_status("link", "link");
}

CALL_CASE(chmod, by_descriptor) {
  make_file("file");
  make_directory("dir");
  make_fifo("fifo");
  attempt("read-write", call(SYS_fchmod, must_open("file", O_RDWR), 0600));
  attempt("read-only", call(SYS_fchmod, must_open("file", O_RDONLY), 0640));
  attempt("directory", call(SYS_fchmod, must_open("dir", O_RDONLY | O_DIRECTORY), 0700));
  attempt("FIFO", call(SYS_fchmod, must_open("fifo", O_RDWR), 0600));
  attempt("bad", call(SYS_fchmod, 99, 0600));
  attempt("-1", call(SYS_fchmod, -1, 0600));
  for (const char *path : {"file", "dir", "fifo"}) record_status(path, path);
}

CALL_CASE(chmod, of_a_pipe_and_a_socket) {
  int ends[2];
  if (::pipe(ends) != 0) set_up_failed("pipe");
  attempt("pipe", call(SYS_fchmod, ends[0], 0600));
  record_status("pipe", ends[0]);
}

CALL_CASE(chmod, of_a_removed_file) {
  make_file("file", "text");
  const int fd = must_open("file", O_RDWR);
  attempt("unlink", ::unlink("file"));
  attempt("fchmod", call(SYS_fchmod, fd, 0600));
  record_status("fstat", fd);
}

CALL_CASE(chmod, fchmodat2) {
  constexpr long number = 452;
  make_file("file");
  make_symlink("file", "link");
  attempt("no flag", call(number, AT_FDCWD, "file", 0600, 0));
  attempt("not followed", call(number, AT_FDCWD, "link", 0600, AT_SYMLINK_NOFOLLOW));
  attempt("empty path", call(number, must_open("file"), "", 0640, AT_EMPTY_PATH));
  attempt("unknown flag", call(number, AT_FDCWD, "file", 0600, 0x80000));
  record_status("file", "file");
}

CASE(chmod, by_every_name_of_libc) {
  make_file("file");
  make_symlink("file", "link");
  attempt("chmod", ::chmod("file", 0600));
  attempt("fchmodat", ::fchmodat(AT_FDCWD, "file", 0640, 0));
  attempt("fchmodat, not followed", ::fchmodat(AT_FDCWD, "link", 0600, AT_SYMLINK_NOFOLLOW));
  attempt("fchmodat, file not followed", ::fchmodat(AT_FDCWD, "file", 0604, AT_SYMLINK_NOFOLLOW));
  attempt("lchmod", ::lchmod("link", 0600));
  attempt("fchmod", ::fchmod(must_open("file"), 0606));
  record_status("file", "file");
}

CALL_CASE(chown, to_oneself) {
  make_file("file");
  make_symlink("file", "link");
  attempt("chown", call(SYS_chown, "file", ::getuid(), ::getgid()));
  attempt("nothing changes", call(SYS_chown, "file", -1, -1));
  attempt("lchown", call(SYS_lchown, "link", ::getuid(), ::getgid()));
  attempt("fchown", call(SYS_fchown, must_open("file", O_RDWR), ::getuid(), -1));
  attempt("fchownat", call(SYS_fchownat, AT_FDCWD, "link", -1, ::getgid(), AT_SYMLINK_NOFOLLOW));
  attempt("empty path",
          call(SYS_fchownat, must_open("file", O_RDWR), "", ::getuid(), -1, AT_EMPTY_PATH));
  record_status("file", "file");
}

CALL_CASE(chown, to_others) {
  make_file("file");
  make_directory("dir");
  make_symlink("file", "link");
  attempt("user", call(SYS_chown, "file", 1234, -1));
  attempt("group", call(SYS_chown, "dir", -1, 1235));
  attempt("link", call(SYS_lchown, "link", 1236, 1237));
  attempt("by descriptor", call(SYS_fchown, must_open("dir", O_RDONLY | O_DIRECTORY), 1238, 1239));
  for (const char *path : {"file", "dir", "link"}) record_status(path, path);
}

CALL_CASE(chown, clears_set_id_bits) {
  make_file("file");
  attempt("chmod", ::chmod("file", 06755));
  record_status("before", "file");
  attempt("chown", call(SYS_chown, "file", ::getuid(), ::getgid()));
  record_status("after", "file");
}

CALL_CASE(chown, values_that_are_refused) {
  make_file("file");
  attempt("unknown flag", call(SYS_fchownat, AT_FDCWD, "file", -1, -1, 0x80000));
  attempt("bad descriptor", call(SYS_fchown, 99, -1, -1));
  attempt("O_PATH descriptor", call(SYS_fchown, must_open("file", O_PATH), -1, -1));
  attempt("read-only descriptor", call(SYS_fchown, must_open("file", O_RDONLY), ::getuid(), -1));
}

CALL_CASE(utimensat, values) {
  make_file("file");
  const auto set = [&](const char *what, timespec access, timespec modification) {
    const timespec times[2] = {access, modification};
    attempt(what, call(SYS_utimensat, AT_FDCWD, "file", times, 0));
    record_times("times", "file");
  };
  set("fixed", {1'000'000'000, 123'456'789}, {1'100'000'000, 987'654'321});
  set("access omitted", {5, UTIME_OMIT}, {1'200'000'000, 1});
  set("modification omitted", {1'300'000'000, 2}, {7, UTIME_OMIT});
  set("both omitted", {0, UTIME_OMIT}, {0, UTIME_OMIT});
  set("access now", {0, UTIME_NOW}, {0, UTIME_OMIT});
  set("modification now", {1'400'000'000, 3}, {0, UTIME_NOW});
  set("before 1970", {-1, 0}, {-1'000'000, 999'999'999});
  set("after 2038", {3'000'000'000, 0}, {4'000'000'000, 5});
  set("far away", {20'000'000'000, 0}, {-20'000'000'000, 0});
  set("too many nanoseconds", {1, 1'000'000'000}, {1, 0});
  set("negative nanoseconds", {1, 0}, {1, -1});
}

CALL_CASE(utimensat, null_is_now) {
  make_file("file");
  const timespec old[2] = {{1, 0}, {2, 0}};
  attempt("old", call(SYS_utimensat, AT_FDCWD, "file", old, 0));
  record_times("times", "file");
  attempt("null", call(SYS_utimensat, AT_FDCWD, "file", nullptr, 0));
  record_times("times", "file");
}

CALL_CASE(utimensat, links) {
  make_file("file");
  make_symlink("file", "link");
  const timespec times[2] = {{1'000'000'000, 5}, {1'000'000'001, 6}};
  attempt("not followed", call(SYS_utimensat, AT_FDCWD, "link", times, AT_SYMLINK_NOFOLLOW));
  record_times("link", "link");
  record_times("file", "file");
  attempt("followed", call(SYS_utimensat, AT_FDCWD, "link", times, 0));
  record_times("file", "file");
}

CALL_CASE(utimensat, descriptors) {
  make_file("file");
  make_directory("dir");
  const timespec times[2] = {{1'000'000'000, 5}, {1'000'000'001, 6}};
  attempt("file", call(SYS_utimensat, must_open("file", O_RDWR), nullptr, times, 0));
  attempt("read-only file", call(SYS_utimensat, must_open("file"), nullptr, times, 0));
  attempt("directory",
          call(SYS_utimensat, must_open("dir", O_RDONLY | O_DIRECTORY), nullptr, times, 0));
  attempt("null path with a flag",
          call(SYS_utimensat, must_open("file"), nullptr, times, AT_SYMLINK_NOFOLLOW));
  attempt("empty path", call(SYS_utimensat, must_open("file", O_RDWR), "", times, 0));
  attempt("empty path and flag",
          call(SYS_utimensat, must_open("file", O_RDWR), "", times, AT_EMPTY_PATH));
  attempt("null path of the current directory", call(SYS_utimensat, AT_FDCWD, nullptr, times, 0));
  attempt("bad descriptor", call(SYS_utimensat, 99, nullptr, times, 0));
  record_times("file", "file");
  record_times("dir", "dir");
}

CALL_CASE(utimensat, values_that_are_refused) {
  make_file("file");
  const timespec omitted[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
  attempt("unknown flag", call(SYS_utimensat, AT_FDCWD, "file", nullptr, 0x80000));
  attempt("omitted, missing file", call(SYS_utimensat, AT_FDCWD, "missing", omitted, 0));
  attempt("times that cannot be read", call(SYS_utimensat, AT_FDCWD, "file", 1, 0));
}

CALL_CASE(utimensat, read_only_file) {
  make_file("file", "", 0444);
  const timespec times[2] = {{1'000'000'000, 5}, {1'000'000'001, 6}};
  attempt("null", call(SYS_utimensat, AT_FDCWD, "file", nullptr, 0));
  attempt("fixed", call(SYS_utimensat, AT_FDCWD, "file", times, 0));
}

CALL_CASE(utimes, old_calls) {
  make_file("file");
  const timeval times[2] = {{1'000'000'000, 123'456}, {1'000'000'001, 654'321}};
  const timeval wrong[2] = {{1, 1'000'000}, {1, 0}};
  const long seconds[2] = {1'000'000'002, 1'000'000'003};
  attempt("utimes", call(SYS_utimes, "file", times));
  record_times("times", "file");
  attempt("utimes, wrong", call(SYS_utimes, "file", wrong));
  attempt("utime", call(SYS_utime, "file", seconds));
  record_times("times", "file");
  attempt("futimesat", call(SYS_futimesat, AT_FDCWD, "file", times));
  record_times("times", "file");
  attempt("futimesat of a descriptor",
          call(SYS_futimesat, must_open("file", O_RDWR), nullptr, nullptr));
  record_times("times", "file");
  attempt("utimes, null", call(SYS_utimes, "file", nullptr));
  attempt("utime, null", call(SYS_utime, "file", nullptr));
  record_times("times", "file");
}

CASE(utimes, by_every_name_of_libc) {
  make_file("file");
  make_symlink("file", "link");
  const timeval times[2] = {{1'000'000'000, 10}, {1'000'000'001, 20}};
  const timespec precise[2] = {{1'000'000'002, 30}, {1'000'000'003, 40}};
  const utimbuf seconds = {1'000'000'004, 1'000'000'005};
  const int fd = must_open("file", O_RDWR);
  attempt("utimes", ::utimes("file", times));
  record_times("times", "file");
  attempt("lutimes", ::lutimes("link", times));
  record_times("times", "link");
  attempt("futimes", ::futimes(fd, times));
  attempt("futimens", ::futimens(fd, precise));
  record_times("times", "file");
  attempt("utime", ::utime("file", &seconds));
  record_times("times", "file");
  attempt("futimesat", ::futimesat(AT_FDCWD, "file", times));
  attempt("utimensat", ::utimensat(AT_FDCWD, "link", precise, AT_SYMLINK_NOFOLLOW));
  record_times("times", "link");
}

CALL_CASE(truncate, lengths) {
  make_file("file", "0123456789");
  for (const long length : {5L, 5L, 20L, 0L, 100'000L, -1L, -1'000'000'000'000L}) {
    attempt("truncate " + std::to_string(length), call(SYS_truncate, "file", length));
    record_status("file", "file");
  }
  attempt("too long", call(SYS_truncate, "file", 0x7fff'ffff'ffff'ffff));
}

CALL_CASE(truncate, kinds) {
  make_directory("dir");
  make_fifo("fifo");
  make_file("file", "0123456789");
  make_file("read-only", "0123456789", 0444);
  make_symlink("file", "link");
  for (const char *path : {"dir", "fifo", "link", "read-only", "missing"})
    attempt(path, call(SYS_truncate, path, 3));
  record_status("file", "file");
}

CALL_CASE(truncate, by_descriptor) {
  make_file("file", "0123456789");
  make_directory("dir");
  const int fd = must_open("file", O_RDWR);
  attempt("ftruncate", call(SYS_ftruncate, fd, 3));
  attempt("position stays", ::lseek(fd, 0, SEEK_CUR));
  attempt("read-only", call(SYS_ftruncate, must_open("file"), 1));
  attempt("directory", call(SYS_ftruncate, must_open("dir", O_RDONLY | O_DIRECTORY), 1));
  attempt("bad", call(SYS_ftruncate, 99, 1));
  attempt("negative", call(SYS_ftruncate, fd, -1));
  record("contents", contents_of("file"));
}

CALL_CASE(truncate, program_that_runs) {
  attempt("truncate", call(SYS_truncate, "/usr/bin/does-not-exist", 0));
}

}  // namespace
}  // namespace plash::conformance
