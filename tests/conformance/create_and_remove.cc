// SPDX-License-Identifier: LGPL-2.1-or-later
//
// mkdir(2), mknod(2), mkfifo(3), unlink(2), rmdir(2), umask(2).
#include <sys/sysmacros.h>

#include "tests/conformance/world.h"

namespace plash::conformance {
namespace {

CALL_CASE(mkdir, modes) {
  for (const mode_t mask : {0u, 022u, 077u, 0777u}) {
    ::umask(mask);
    for (const mode_t mode : {0777u, 0755u, 0700u, 0u, 01777u}) {
      const std::string name = "dir-" + std::to_string(mask) + "-" + std::to_string(mode);
      attempt("mkdir", call(SYS_mkdir, name.c_str(), mode));
      record_status(name, name);
    }
  }
}

CALL_CASE(mkdir, special_bits_are_dropped) {
  ::umask(0);
  attempt("mkdir", call(SYS_mkdir, "dir", 07777));
  record_status("dir", "dir");
  attempt("type bits", call(SYS_mkdir, "typed", S_IFREG | 0755));
  record_status("typed", "typed");
}

CALL_CASE(mkdir, existing_things) {
  make_file("file");
  make_directory("dir");
  make_symlink("missing", "dangling");
  make_symlink("dir", "link");
  for (const char *path : {"file", "dir", "dangling", "dangling/", "link", "link/", "/", ".", "..",
                           "dir/.", "file/new", "missing/new"}) {
    attempt(path, call(SYS_mkdir, path, 0755));
  }
}

CALL_CASE(mkdir, parent_of_set_group_id) {
  make_directory("dir");
  attempt("chmod", ::chmod("dir", 02755));
  attempt("mkdir", call(SYS_mkdir, "dir/inner", 0755));
  record_status("inner", "dir/inner");
}

CALL_CASE(mkdir, below_a_descriptor) {
  make_directory("dir");
  const int dir = must_open("dir", O_RDONLY | O_DIRECTORY);
  attempt("mkdirat", call(SYS_mkdirat, dir, "a", 0755));
  attempt("deeper", call(SYS_mkdirat, dir, "a/b", 0755));
  attempt("above", call(SYS_mkdirat, dir, "../c", 0755));
  record("names", names_in("."));
  record("names", names_in("dir"));
}

CALL_CASE(umask, is_returned_and_set) {
  record("was", Octal{static_cast<unsigned long>(call(SYS_umask, 0123))});
  record("was", Octal{static_cast<unsigned long>(call(SYS_umask, 07777))});
  record("was", Octal{static_cast<unsigned long>(call(SYS_umask, 0))});
}

CALL_CASE(umask, holds_for_each_creation) {
  call(SYS_umask, 057);
  attempt("open", ::open("file", O_CREAT | O_WRONLY, 0777));
  attempt("mkdir", ::mkdir("dir", 0777));
  attempt("mknod", ::mknod("node", S_IFREG | 0777, 0));
  attempt("mkfifo", ::mkfifo("fifo", 0777));
  attempt("symlink", ::symlink("x", "link"));
  attempt("O_TMPFILE", ::open(".", O_TMPFILE | O_RDWR, 0777));
  record_status("O_TMPFILE", 4);
  for (const char *path : {"file", "dir", "node", "fifo", "link"}) record_status(path, path);
}

// Where the directory has one it counts, and the umask does not.
CALL_CASE(umask, under_a_default_acl) {
  make_directory("dir");
  const Acl<3> acl = {.entries = {{ACL_USER_OBJ, 7}, {ACL_GROUP_OBJ, 5}, {ACL_OTHER, 1}}};
  attempt("set", call(SYS_setxattr, "dir", "system.posix_acl_default", &acl, sizeof acl, 0));
  for (const mode_t mask : {0u, 022u, 077u}) {
    ::umask(mask);
    const std::string name = "dir/" + std::to_string(mask);
    attempt("mkdir", call(SYS_mkdir, (name + "d").c_str(), 0777));
    attempt("mknod", call(SYS_mknod, (name + "n").c_str(), S_IFIFO | 0666, 0));
    attempt("open", call(SYS_open, (name + "f").c_str(), O_CREAT | O_RDWR, 0666));
    const long temporary = call(SYS_open, "dir", O_TMPFILE | O_RDWR, 0666);
    attempt("O_TMPFILE", temporary);
    for (const char *kind : {"d", "n", "f"}) record_status(name + kind, name + kind);
    struct stat status {};
    ::fstat(static_cast<int>(temporary), &status);
    record("O_TMPFILE", Octal{status.st_mode});
  }
}

CASE(umask, inherited_by_fork_and_exec) {
  ::umask(031);
  in_child("child", [] {
    attempt("mkdir", ::mkdir("child", 0777));
    record("umask of the child", Octal{::umask(0)});
  });
  record("umask of the parent", Octal{::umask(031)});
  in_child("executed", [] { ::execl(program().c_str(), "show-directory", nullptr); });
  record_status("child", "child");
}

CASE(umask, of_one_is_not_of_the_other) {
  in_child("child", [] { ::umask(0777); });
  make_file("unused");
  attempt("open", ::open("file", O_CREAT | O_WRONLY, 0666));
  record_status("file", "file");
}

CALL_CASE(mknod, types) {
  attempt("no type", call(SYS_mknod, "none", 0644, 0));
  attempt("file", call(SYS_mknod, "file", S_IFREG | 0640, 0));
  attempt("FIFO", call(SYS_mknod, "fifo", S_IFIFO | 0604, 0));
  attempt("socket", call(SYS_mknod, "socket", S_IFSOCK | 0600, 0));
  attempt("directory", call(SYS_mknod, "dir", S_IFDIR | 0755, 0));
  attempt("symlink", call(SYS_mknod, "link", S_IFLNK | 0777, 0));
  attempt("unknown", call(SYS_mknod, "unknown", 0170000 | 0644, 0));
  for (const char *path : {"none", "file", "fifo", "socket"}) record_status(path, path);
}

CALL_CASE(mknod, devices) {
  attempt("character device", call(SYS_mknod, "device", S_IFCHR | 0600, makedev(1, 3)));
  attempt("block device", call(SYS_mknod, "block", S_IFBLK | 0600, makedev(7, 0)));
  attempt("whiteout", call(SYS_mknod, "whiteout", S_IFCHR | 0600, 0));
}

// Who may not make devices is told so last.
CALL_CASE(mknod, devices_that_cannot_be_made_anyway) {
  make_file("file");
  make_directory("dir");
  make_symlink("missing", "dangling");
  attempt("file", call(SYS_mknod, "file", S_IFCHR | 0600, makedev(1, 3)));
  attempt("directory", call(SYS_mknod, "dir", S_IFBLK | 0600, makedev(7, 0)));
  attempt("dangling", call(SYS_mknod, "dangling", S_IFCHR | 0600, makedev(1, 3)));
  attempt("with a slash", call(SYS_mknod, "new/", S_IFCHR | 0600, makedev(1, 3)));
  attempt("chdir", call(SYS_chdir, "dir"));
  attempt("rmdir", call(SYS_rmdir, "../dir"));
  attempt("in a removed directory", call(SYS_mknod, "device", S_IFCHR | 0600, makedev(1, 3)));
}

CALL_CASE(mknod, existing_things) {
  make_file("file");
  make_symlink("missing", "dangling");
  attempt("file", call(SYS_mknod, "file", S_IFIFO | 0600, 0));
  attempt("dangling", call(SYS_mknod, "dangling", S_IFIFO | 0600, 0));
  attempt("with a slash", call(SYS_mknod, "new/", S_IFIFO | 0600, 0));
}

CASE(mknod, by_every_name_of_libc) {
  attempt("mkfifo", ::mkfifo("fifo", 0666));
  attempt("mkfifoat", ::mkfifoat(AT_FDCWD, "fifo-at", 0600));
  attempt("mknodat", ::mknodat(AT_FDCWD, "node-at", S_IFREG | 0600, 0));
  attempt("again", ::mkfifo("fifo", 0666));
  for (const char *path : {"fifo", "fifo-at", "node-at"}) record_status(path, path);
}

CALL_CASE(unlink, kinds) {
  make_file("file");
  make_directory("dir");
  make_symlink("dir", "dir-link");
  make_symlink("missing", "dangling");
  make_fifo("fifo");
  attempt("mknod", ::mknod("socket", S_IFSOCK | 0600, 0));
  for (const char *path : {"file", "dir", "dir-link/", "dir-link", "dangling", "fifo", "socket",
                           "missing", ".", "..", "/"}) {
    attempt(path, call(SYS_unlink, path));
  }
  record("names", names_in("."));
}

CALL_CASE(unlink, one_of_two_links) {
  make_file("one", "text");
  attempt("link", ::link("one", "two"));
  attempt("unlink", call(SYS_unlink, "one"));
  record_status("two", "two");
}

CALL_CASE(unlink, open_file_stays) {
  make_file("file", "text");
  const int fd = must_open("file", O_RDWR);
  attempt("unlink", call(SYS_unlink, "file"));
  record("contents", read_all(fd));
  attempt("write", ::write(fd, "more", 4));
  record_status("fstat", fd);
}

CALL_CASE(unlink, from_a_directory_that_may_not_be_written) {
  make_directory("dir");
  make_file("dir/file");
  attempt("chmod", ::chmod("dir", 0555));
  attempt("unlink", call(SYS_unlink, "dir/file"));
}

CALL_CASE(unlink, of_a_read_only_file) {
  make_file("file", "text", 0444);
  attempt("unlink", call(SYS_unlink, "file"));
}

CALL_CASE(unlink, flags_that_are_refused) {
  make_file("file");
  attempt("unknown", call(SYS_unlinkat, AT_FDCWD, "file", 0x1000));
  attempt("AT_EMPTY_PATH", call(SYS_unlinkat, must_open("file"), "", AT_EMPTY_PATH));
  attempt("AT_SYMLINK_NOFOLLOW", call(SYS_unlinkat, AT_FDCWD, "file", AT_SYMLINK_NOFOLLOW));
}

CALL_CASE(rmdir, kinds) {
  make_file("file");
  make_directory("empty");
  make_directory("full");
  make_file("full/file");
  make_directory("other");
  make_symlink("other", "link");
  for (const char *path : {"file", "full", "link", "link/", "empty", "missing", ".", "..", "full/.",
                           "full/..", "/", "empty/..", "other/"}) {
    attempt(path, call(SYS_rmdir, path));
  }
  record("names", names_in("."));
}

CALL_CASE(rmdir, current_directory_with_dots) {
  make_directory("dir");
  make_directory("dir/inner");
  must_change_directory("dir");
  attempt(".", call(SYS_rmdir, "."));
  attempt("inner/.", call(SYS_rmdir, "inner/."));
  attempt("./inner/", call(SYS_rmdir, "./inner/"));
  attempt("../dir", call(SYS_rmdir, "../dir"));
  attempt("..", call(SYS_rmdir, ".."));
}

CALL_CASE(rmdir, open_directory_stays) {
  make_directory("dir");
  const int fd = must_open("dir", O_RDONLY | O_DIRECTORY);
  attempt("rmdir", call(SYS_rmdir, "dir"));
  record_status("fstat", fd);
  attempt("openat", ::openat(fd, "new", O_CREAT | O_WRONLY, 0644));
  char buffer[1000];
  attempt("getdents64", call(SYS_getdents64, fd, buffer, sizeof buffer));
}

CALL_CASE(rmdir, by_unlinkat) {
  make_directory("dir");
  make_directory("dir/inner");
  make_file("dir/file");
  const int dir = must_open("dir", O_RDONLY | O_DIRECTORY);
  attempt("file", call(SYS_unlinkat, dir, "file", AT_REMOVEDIR));
  attempt("directory without the flag", call(SYS_unlinkat, dir, "inner", 0));
  attempt("directory", call(SYS_unlinkat, dir, "inner", AT_REMOVEDIR));
  attempt("file without the flag", call(SYS_unlinkat, dir, "file", 0));
  record("names", names_in("dir"));
}

CASE(unlink, by_remove) {
  make_file("file");
  make_directory("dir");
  make_directory("full");
  make_file("full/file");
  make_symlink("dir", "link");
  for (const char *path : {"file", "link", "dir", "full", "missing"}) attempt(path, ::remove(path));
}

CALL_CASE(unlink, sticky_directory) {
  make_directory("sticky");
  attempt("chmod", ::chmod("sticky", 01777));
  make_file("sticky/file");
  attempt("unlink", call(SYS_unlink, "sticky/file"));
}

}  // namespace
}  // namespace plash::conformance
