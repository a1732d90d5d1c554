// SPDX-License-Identifier: LGPL-2.1-or-later
//
// stat(2), statx(2), access(2), readlink(2): what is told, beyond how paths are taken.
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "tests/conformance/world.h"

namespace plash::conformance {
namespace {

struct stat status_by(Call call, int base, const char *path, int flags) {
  struct stat status {};
  if (call(SYS_newfstatat, base, path, &status, flags) != 0)
    set_up_failed(std::string("newfstatat ") + path);
  return status;
}

CALL_CASE(stat, every_way_tells_the_same) {
  make_file("file", "text", 0640);
  const int fd = must_open("file");
  struct stat by_path, by_descriptor;
  attempt("stat", call(SYS_stat, "file", &by_path));
  attempt("fstat", call(SYS_fstat, fd, &by_descriptor));
  record("stat equals fstat", same_status(by_path, by_descriptor));
  record("stat equals newfstatat", same_status(by_path, status_by(call, AT_FDCWD, "file", 0)));
  record("stat equals newfstatat with an empty path",
         same_status(by_path, status_by(call, fd, "", AT_EMPTY_PATH)));
  const int path_only = must_open("file", O_PATH);
  attempt("fstat of O_PATH", call(SYS_fstat, path_only, &by_descriptor));
  record("stat equals fstat of O_PATH", same_status(by_path, by_descriptor));
}

CALL_CASE(stat, directory_by_every_way) {
  make_directory("dir", 0750);
  const int fd = must_open("dir", O_RDONLY | O_DIRECTORY);
  struct stat by_path, by_descriptor;
  attempt("stat", call(SYS_stat, "dir", &by_path));
  attempt("fstat", call(SYS_fstat, fd, &by_descriptor));
  record("stat equals fstat", same_status(by_path, by_descriptor));
  record("stat equals newfstatat", same_status(by_path, status_by(call, fd, ".", 0)));
  record("stat equals newfstatat with an empty path",
         same_status(by_path, status_by(call, fd, "", AT_EMPTY_PATH)));
  must_change_directory("dir");
  record("stat equals newfstatat of the current directory",
         same_status(by_path, status_by(call, AT_FDCWD, "", AT_EMPTY_PATH)));
  attempt("stat of .", call(SYS_stat, ".", &by_descriptor));
  record("stat equals stat of .", same_status(by_path, by_descriptor));
  record_status("directory", fd);
}

CALL_CASE(stat, links_of_directories) {
  make_directory("dir");
  for (const char *path : {"dir/a", "dir/b", "dir/a/c"}) make_directory(path);
  make_file("dir/file");
  record_status("dir", "dir");
  record_status("dir/a", "dir/a");
}

CALL_CASE(stat, types) {
  make_file("file", "12345");
  make_directory("dir");
  make_symlink("file", "link");
  make_fifo("fifo");
  attempt("mknod", ::mknod("socket", S_IFSOCK | 0600, 0));
  for (const char *path : {"file", "dir", "link", "fifo", "socket"}) {
    record_status(path, path);
    struct stat followed;
    attempt("stat", call(SYS_stat, path, &followed));
    record("type", type_name(followed.st_mode));
  }
  struct stat null;
  attempt("/dev/null", call(SYS_stat, "/dev/null", &null));
  record("type", type_name(null.st_mode));
  record("device", std::to_string(major(null.st_rdev)) + ":" + std::to_string(minor(null.st_rdev)));
}

CALL_CASE(stat, sizes_and_blocks) {
  make_file("empty");
  make_file("small", "x");
  make_file("large", std::string(100'000, 'x'));
  ::truncate("empty", 1'000'000'000'000);
  for (const char *path : {"empty", "small", "large"}) {
    struct stat status;
    attempt(path, call(SYS_stat, path, &status));
    record("size", status.st_size);
    record("has blocks", status.st_blocks > 0);
    record("block size", status.st_blksize);
  }
}

CALL_CASE(stat, hard_links) {
  make_file("one");
  attempt("link", ::link("one", "two"));
  struct stat one, two;
  attempt("one", call(SYS_stat, "one", &one));
  attempt("two", call(SYS_stat, "two", &two));
  record("same file", same_file(one, two));
  record("links", one.st_nlink);
}

CALL_CASE(stat, times_move) {
  make_file("file", "text");
  struct stat before, after;
  call(SYS_stat, "file", &before);
  ::usleep(20'000);
  make_file("file", "more");
  call(SYS_stat, "file", &after);
  record("modified later", after.st_mtim.tv_sec > before.st_mtim.tv_sec ||
                               (after.st_mtim.tv_sec == before.st_mtim.tv_sec &&
                                after.st_mtim.tv_nsec > before.st_mtim.tv_nsec));
  record("same file", same_file(before, after));
}

CALL_CASE(stat, flags_that_are_refused) {
  make_file("file");
  struct stat status;
  attempt("unknown flag", call(SYS_newfstatat, AT_FDCWD, "file", &status, 0x80000));
  attempt("AT_REMOVEDIR", call(SYS_newfstatat, AT_FDCWD, "file", &status, AT_REMOVEDIR));
  attempt("AT_SYMLINK_FOLLOW", call(SYS_newfstatat, AT_FDCWD, "file", &status, AT_SYMLINK_FOLLOW));
  attempt("AT_NO_AUTOMOUNT", call(SYS_newfstatat, AT_FDCWD, "file", &status, AT_NO_AUTOMOUNT));
}

CALL_CASE(stat, buffer_that_cannot_be_written) {
  make_file("file");
  make_directory("dir");
  const int file = must_open("file"), dir = must_open("dir", O_RDONLY | O_DIRECTORY);
  attempt("stat", call(SYS_stat, "file", nullptr));
  attempt("lstat", call(SYS_lstat, "file", 1));
  attempt("newfstatat", call(SYS_newfstatat, AT_FDCWD, "file", nullptr, 0));
  attempt("fstat of a file", call(SYS_fstat, file, nullptr));
  attempt("fstat of a directory", call(SYS_fstat, dir, nullptr));
  attempt("fstat of nothing", call(SYS_fstat, 99, nullptr));
  attempt("statx", call(SYS_statx, AT_FDCWD, "file", 0, STATX_ALL, nullptr));
  attempt("stat of what is missing", call(SYS_stat, "missing", nullptr));
  attempt("readlink", call(SYS_readlink, "file", nullptr, 10));
  attempt("statfs", call(SYS_statfs, "file", nullptr));
  attempt("fstatfs of a directory", call(SYS_fstatfs, dir, nullptr));
}

CALL_CASE(statx, fields) {
  make_file("file", "text", 0604);
  struct statx extended {};
  attempt("statx",
          call(SYS_statx, AT_FDCWD, "file", 0, STATX_BASIC_STATS | STATX_BTIME, &extended));
  struct stat status;
  attempt("stat", call(SYS_stat, "file", &status));
  record("basic fields are there", (extended.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
  record("birth time is there", (extended.stx_mask & STATX_BTIME) != 0);
  record("same inode", extended.stx_ino == status.st_ino);
  record("same device", makedev(extended.stx_dev_major, extended.stx_dev_minor) == status.st_dev);
  record("same mode", extended.stx_mode == status.st_mode);
  record("same modification time",
         extended.stx_mtime.tv_sec == status.st_mtim.tv_sec &&
             extended.stx_mtime.tv_nsec == static_cast<unsigned>(status.st_mtim.tv_nsec));
  record("born before it was changed",
         extended.stx_btime.tv_sec <= extended.stx_ctime.tv_sec && extended.stx_btime.tv_sec > 0);
  record("size", extended.stx_size);
  record("links", extended.stx_nlink);
  record("attributes", extended.stx_attributes);
}

CALL_CASE(statx, masks_and_flags) {
  make_file("file", "text");
  make_symlink("file", "link");
  struct statx status {};
  attempt("mask 0", call(SYS_statx, AT_FDCWD, "file", 0, 0, &status));
  attempt("reserved mask", call(SYS_statx, AT_FDCWD, "file", 0, 0x80000000u, &status));
  attempt("force sync", call(SYS_statx, AT_FDCWD, "file", AT_STATX_FORCE_SYNC, STATX_ALL, &status));
  attempt("don't sync", call(SYS_statx, AT_FDCWD, "file", AT_STATX_DONT_SYNC, STATX_ALL, &status));
  attempt("both", call(SYS_statx, AT_FDCWD, "file", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC,
                       STATX_ALL, &status));
  attempt("unknown flag", call(SYS_statx, AT_FDCWD, "file", 0x80000, STATX_ALL, &status));
  attempt("not followed",
          call(SYS_statx, AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW, STATX_TYPE, &status));
  record("type", type_name(status.stx_mode));
  const int fd = must_open("file");
  attempt("of a descriptor", call(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_SIZE, &status));
  record("size", status.stx_size);
}

CASE(stat, by_every_name_of_libc) {
  make_file("file", "text");
  make_symlink("file", "link");
  struct stat status;
  attempt("stat", ::stat("link", &status));
  attempt("lstat", ::lstat("link", &status));
  attempt("fstatat", ::fstatat(AT_FDCWD, "link", &status, 0));
  struct stat64 large;
  attempt("stat64", ::stat64("link", &large));
  attempt("lstat64", ::lstat64("link", &large));
  attempt("fstatat64", ::fstatat64(AT_FDCWD, "link", &large, AT_SYMLINK_NOFOLLOW));
  record("mode", Octal{large.st_mode});
  const int fd = must_open("file");
  attempt("fstat64", ::fstat64(fd, &large));
  struct statx extended;
  attempt("statx", ::statx(AT_FDCWD, "link", 0, STATX_BASIC_STATS, &extended));
  attempt("closed", ::fstat(50, &status));
}

CALL_CASE(access, modes) {
  for (const mode_t mode : {0000u, 0400u, 0200u, 0100u, 0700u, 0055u}) {
    const std::string name = "mode-" + std::to_string(mode);
    make_file(name, "", mode);
    for (const int how : {F_OK, R_OK, W_OK, X_OK, R_OK | W_OK, R_OK | X_OK}) {
      attempt(name + " for " + std::to_string(how), call(SYS_access, name.c_str(), how));
    }
  }
}

CALL_CASE(access, directories_and_links) {
  make_directory("dir", 0500);
  make_file("file", "", 0400);
  make_symlink("file", "link");
  make_symlink("missing", "dangling");
  attempt("directory for search", call(SYS_access, "dir", X_OK));
  attempt("directory for writing", call(SYS_access, "dir", W_OK));
  attempt("link for executing", call(SYS_access, "link", X_OK));
  attempt("dangling", call(SYS_access, "dangling", F_OK));
  attempt("dangling, not followed",
          call(SYS_faccessat2, AT_FDCWD, "dangling", F_OK, AT_SYMLINK_NOFOLLOW));
}

CALL_CASE(access, values_that_are_refused) {
  make_file("file");
  attempt("mode 8", call(SYS_access, "file", 8));
  attempt("mode -1", call(SYS_access, "file", -1));
  attempt("faccessat2, unknown flag", call(SYS_faccessat2, AT_FDCWD, "file", R_OK, 0x80000));
  attempt("faccessat2, AT_EMPTY_PATH",
          call(SYS_faccessat2, must_open("file"), "", R_OK, AT_EMPTY_PATH));
  attempt("faccessat2, AT_EACCESS", call(SYS_faccessat2, AT_FDCWD, "file", R_OK, AT_EACCESS));
}

CALL_CASE(access, empty_path_of_a_directory) {
  make_directory("dir");
  const int dir = must_open("dir", O_RDONLY | O_DIRECTORY);
  attempt("directory", call(SYS_faccessat2, dir, "", W_OK, AT_EMPTY_PATH));
  attempt("without the flag", call(SYS_faccessat2, dir, "", W_OK, 0));
  attempt("current directory", call(SYS_faccessat2, AT_FDCWD, "", X_OK, AT_EMPTY_PATH));
}

CASE(access, by_every_name_of_libc) {
  make_file("file", "", 0400);
  make_symlink("missing", "dangling");
  attempt("access", ::access("file", R_OK));
  attempt("eaccess", ::eaccess("file", W_OK));
  attempt("euidaccess", ::euidaccess("file", X_OK));
  attempt("faccessat", ::faccessat(AT_FDCWD, "file", R_OK, AT_EACCESS));
  attempt("faccessat, not followed", ::faccessat(AT_FDCWD, "dangling", F_OK, AT_SYMLINK_NOFOLLOW));
  attempt("faccessat, unknown flag", ::faccessat(AT_FDCWD, "file", R_OK, 0x80000));
}

CALL_CASE(readlink, sizes) {
  make_symlink("a target of 23 bytes...", "link");
  for (const int size : {1, 5, 22, 23, 24, 100}) {
    char buffer[128];
    std::memset(buffer, '#', sizeof buffer);
    attempt("readlink", call(SYS_readlink, "link", buffer, size));
    record("buffer", std::string(buffer, 25));
  }
  char byte;
  attempt("size 0", call(SYS_readlink, "link", &byte, 0));
  attempt("size -1", call(SYS_readlink, "link", &byte, -1));
}

CALL_CASE(readlink, of_other_things) {
  make_file("file");
  make_directory("dir");
  make_symlink("dir", "link");
  char buffer[100];
  attempt("file", call(SYS_readlink, "file", buffer, sizeof buffer));
  attempt("directory", call(SYS_readlink, "dir", buffer, sizeof buffer));
  attempt("link with a slash", call(SYS_readlink, "link/", buffer, sizeof buffer));
  const int dir = must_open("dir", O_RDONLY | O_DIRECTORY);
  attempt("directory descriptor, empty path", call(SYS_readlinkat, dir, "", buffer, sizeof buffer));
  attempt("current directory, empty path",
          call(SYS_readlinkat, AT_FDCWD, "", buffer, sizeof buffer));
}

CALL_CASE(readlink, long_targets) {
  for (const std::size_t size : {255u, 1000u, 4095u}) {
    make_symlink(std::string(size, 't'), "link-" + std::to_string(size));
    static char buffer[5000];
    attempt("readlink",
            call(SYS_readlink, ("link-" + std::to_string(size)).c_str(), buffer, sizeof buffer));
    record_status("link", "link-" + std::to_string(size));
  }
}

CALL_CASE(statfs, same_by_path_and_descriptor) {
  make_file("file");
  make_directory("dir");
  const int file = must_open("file"), dir = must_open("dir", O_RDONLY | O_DIRECTORY);
  struct statfs by_path, by_file, by_directory;
  attempt("statfs", call(SYS_statfs, ".", &by_path));
  attempt("fstatfs", call(SYS_fstatfs, file, &by_file));
  attempt("fstatfs of a directory", call(SYS_fstatfs, dir, &by_directory));
  record("type is the same",
         by_path.f_type == by_file.f_type && by_path.f_type == by_directory.f_type);
  record("name length", by_directory.f_namelen);
  record("block size", by_directory.f_bsize);
  record("blocks are the same",
         by_path.f_blocks == by_directory.f_blocks && by_path.f_blocks == by_file.f_blocks);
  record("identification is the same",
         std::memcmp(&by_path.f_fsid, &by_directory.f_fsid, sizeof by_path.f_fsid) == 0);
  attempt("fstatfs of nothing", call(SYS_fstatfs, 99, &by_file));
}

CASE(statfs, by_libc) {
  struct statvfs by_path, by_descriptor;
  attempt("statvfs", ::statvfs(".", &by_path));
  attempt("fstatvfs", ::fstatvfs(must_open(".", O_RDONLY | O_DIRECTORY), &by_descriptor));
  record("name length", by_path.f_namemax);
  record("same", by_path.f_namemax == by_descriptor.f_namemax &&
                     by_path.f_blocks == by_descriptor.f_blocks);
  attempt("missing", ::statvfs("missing", &by_path));
  attempt("pathconf", ::pathconf(".", _PC_NAME_MAX));
  attempt("pathconf PATH_MAX", ::pathconf(".", _PC_PATH_MAX));
  attempt("pathconf LINK_MAX", ::pathconf(".", _PC_LINK_MAX));
  attempt("fpathconf", ::fpathconf(must_open(".", O_RDONLY | O_DIRECTORY), _PC_NAME_MAX));
}

}  // namespace
}  // namespace plash::conformance
