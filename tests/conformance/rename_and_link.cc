// SPDX-License-Identifier: LGPL-2.1-or-later
//
// rename(2), renameat2(2), link(2), linkat(2), symlink(2).
#include <cstdio>

#include "tests/conformance/world.h"

namespace plash::conformance {
namespace {

CALL_CASE(rename, kinds_over_kinds) {
  const auto make = [](const std::string &kind, const std::string &path) {
    if (kind == "file") make_file(path, path);
    if (kind == "empty") make_directory(path);
    if (kind == "full") {
      make_directory(path);
      make_file(path + "/file", path);
    }
    if (kind == "link") make_symlink("nowhere", path);
    if (kind == "fifo") make_fifo(path);
  };
  for (const char *from : {"file", "empty", "full", "link", "fifo"}) {
    for (const char *to : {"file", "empty", "full", "link", "fifo", "missing"}) {
      const std::string pair = std::string(from) + "-over-" + to;
      make(from, pair + "-a");
      make(to, pair + "-b");
      attempt(pair, call(SYS_rename, (pair + "-a").c_str(), (pair + "-b").c_str()));
    }
  }
}

CALL_CASE(rename, same_file) {
  make_file("one", "text");
  attempt("link", ::link("one", "two"));
  attempt("onto itself", call(SYS_rename, "one", "one"));
  attempt("onto another link", call(SYS_rename, "one", "two"));
  record("names", names_in("."));
}

CALL_CASE(rename, into_itself) {
  make_directory("dir");
  make_directory("dir/inner");
  attempt("into itself", call(SYS_rename, "dir", "dir/inner/new"));
  attempt("over what is in it", call(SYS_rename, "dir", "dir/inner"));
  attempt("over its parent", call(SYS_rename, "dir/inner", "dir"));
  make_symlink("dir/inner", "link");
  attempt("into itself through a link", call(SYS_rename, "dir", "link/new"));
}

CALL_CASE(rename, dots) {
  make_directory("dir");
  // Not "/": whether it is on this file system is the kernel's first question, and the machine's
  // business.
  for (const char *path : {".", "..", "dir/.", "dir/.."}) {
    attempt(std::string(path) + " away", call(SYS_rename, path, "new"));
    attempt(std::string(path) + " as target", call(SYS_rename, "dir", path));
  }
}

CALL_CASE(rename, slashes) {
  make_directory("dir");
  make_file("file");
  make_symlink("dir", "link");
  attempt("directory with a slash", call(SYS_rename, "dir/", "moved"));
  attempt("to a new name with a slash", call(SYS_rename, "moved", "dir/"));
  attempt("file with a slash", call(SYS_rename, "file/", "new"));
  attempt("file to a name with a slash", call(SYS_rename, "file", "new/"));
  attempt("link with a slash", call(SYS_rename, "link/", "new"));
  attempt("directory over a link with a slash", call(SYS_rename, "dir", "link/"));
}

CALL_CASE(rename, symlink_is_moved_itself) {
  make_file("file", "text");
  make_symlink("file", "link");
  attempt("link", call(SYS_rename, "link", "moved"));
  make_symlink("file", "over");
  make_file("new", "new");
  attempt("over a link", call(SYS_rename, "new", "over"));
  record_status("over", "over");
  record("file", contents_of("file"));
}

CALL_CASE(rename, between_descriptors) {
  make_directory("a");
  make_directory("b");
  make_file("a/file", "text");
  const int a = must_open("a", O_RDONLY | O_DIRECTORY), b = must_open("b", O_PATH | O_DIRECTORY);
  attempt("renameat", call(SYS_renameat, a, "file", b, "moved"));
  attempt("again", call(SYS_renameat, a, "file", b, "moved"));
  attempt("to a bad descriptor", call(SYS_renameat, b, "moved", 50, "x"));
  attempt("from a bad descriptor", call(SYS_renameat, 50, "moved", b, "x"));
  attempt("to a file descriptor", call(SYS_renameat, b, "moved", must_open("b/moved"), "x"));
  attempt("up", call(SYS_renameat, b, "moved", b, "../top"));
}

CALL_CASE(rename, read_only_directories) {
  make_directory("a");
  make_directory("b");
  make_directory("a/dir");
  make_file("a/file");
  make_file("b/file");
  attempt("chmod", ::chmod("a", 0555));
  attempt("out of it", call(SYS_rename, "a/file", "b/new"));
  attempt("into it", call(SYS_rename, "b/file", "a/new"));
  attempt("in it", call(SYS_rename, "a/file", "a/new"));
  attempt("directory out of it", call(SYS_rename, "a/dir", "b/dir"));
}

CALL_CASE(renameat2, no_replace) {
  make_file("a", "a");
  make_file("b", "b");
  attempt("over an existing one",
          call(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE));
  attempt("to a new one", call(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE));
  attempt("onto itself", call(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "b", RENAME_NOREPLACE));
  make_symlink("missing", "dangling");
  attempt("over a dangling link",
          call(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "dangling", RENAME_NOREPLACE));
}

CALL_CASE(renameat2, exchange) {
  make_file("file", "text");
  make_directory("dir");
  make_file("dir/inner", "inner");
  make_symlink("file", "link");
  attempt("file and directory",
          call(SYS_renameat2, AT_FDCWD, "file", AT_FDCWD, "dir", RENAME_EXCHANGE));
  record_status("file", "file");
  attempt("with what is missing",
          call(SYS_renameat2, AT_FDCWD, "file", AT_FDCWD, "missing", RENAME_EXCHANGE));
  attempt("missing first",
          call(SYS_renameat2, AT_FDCWD, "missing", AT_FDCWD, "file", RENAME_EXCHANGE));
  attempt("with a link", call(SYS_renameat2, AT_FDCWD, "dir", AT_FDCWD, "link", RENAME_EXCHANGE));
  attempt("with what is in it",
          call(SYS_renameat2, AT_FDCWD, "file", AT_FDCWD, "file/inner", RENAME_EXCHANGE));
}

CALL_CASE(renameat2, flags_that_are_refused) {
  make_file("a", "a");
  make_file("b", "b");
  attempt("exchange and no-replace",
          call(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE | RENAME_NOREPLACE));
  attempt("unknown flag", call(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 8));
  attempt("no flag", call(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 0));
}

CASE(rename, by_every_name_of_libc) {
  make_file("a", "a");
  attempt("rename", ::rename("a", "b"));
  attempt("renameat", ::renameat(AT_FDCWD, "b", AT_FDCWD, "c"));
  attempt("renameat2", ::renameat2(AT_FDCWD, "c", AT_FDCWD, "d", RENAME_NOREPLACE));
  attempt("missing", ::rename("a", "b"));
}

CALL_CASE(link, kinds) {
  make_file("file", "text");
  make_directory("dir");
  make_symlink("file", "link");
  make_symlink("missing", "dangling");
  make_fifo("fifo");
  for (const char *path :
       {"file", "dir", "link", "dangling", "fifo", "missing", ".", "file/", "link/"}) {
    attempt(path, call(SYS_link, path, (std::string("new-") + std::to_string(path[0])).c_str()));
  }
  record_status("file", "file");
  record_status("link", "link");
}

CALL_CASE(link, existing_things) {
  make_file("file", "text");
  make_file("other");
  make_directory("dir");
  make_symlink("missing", "dangling");
  for (const char *path : {"other", "dir", "dangling", "file", "dir/", "new/", "dir/new", ".",
                           "missing/new", "other/new"}) {
    attempt(path, call(SYS_link, "file", path));
  }
  record_status("file", "file");
}

CALL_CASE(link, follow_flag) {
  make_file("file", "text");
  make_symlink("file", "link");
  make_symlink("missing", "dangling");
  attempt("not followed", call(SYS_linkat, AT_FDCWD, "link", AT_FDCWD, "a", 0));
  attempt("followed", call(SYS_linkat, AT_FDCWD, "link", AT_FDCWD, "b", AT_SYMLINK_FOLLOW));
  attempt("dangling, followed",
          call(SYS_linkat, AT_FDCWD, "dangling", AT_FDCWD, "c", AT_SYMLINK_FOLLOW));
  attempt("dangling", call(SYS_linkat, AT_FDCWD, "dangling", AT_FDCWD, "d", 0));
  attempt("unknown flag", call(SYS_linkat, AT_FDCWD, "file", AT_FDCWD, "e", 0x80000));
  attempt("AT_SYMLINK_NOFOLLOW",
          call(SYS_linkat, AT_FDCWD, "file", AT_FDCWD, "e", AT_SYMLINK_NOFOLLOW));
  record_status("a", "a");
  record_status("b", "b");
}

CALL_CASE(link, between_descriptors) {
  make_directory("a");
  make_directory("b");
  make_file("a/file", "text");
  const int a = must_open("a", O_RDONLY | O_DIRECTORY), b = must_open("b", O_RDONLY | O_DIRECTORY);
  attempt("linkat", call(SYS_linkat, a, "file", b, "linked", 0));
  attempt("bad descriptor", call(SYS_linkat, a, "file", 50, "linked", 0));
  attempt("file descriptor", call(SYS_linkat, a, "file", must_open("a/file"), "linked", 0));
  record_status("linked", "b/linked");
}

CALL_CASE(link, of_a_writable_descriptor) {
  // Without CAP_DAC_READ_SEARCH the kernel says ENOENT.
  make_file("file", "text");
  const int fd = must_open("file", O_RDWR);
  attempt("AT_EMPTY_PATH", call(SYS_linkat, fd, "", AT_FDCWD, "linked", AT_EMPTY_PATH));
  attempt("without the flag", call(SYS_linkat, fd, "", AT_FDCWD, "other", 0));
}

CALL_CASE(link, of_a_temporary_file) {
  const int fd = must_open(".", O_TMPFILE | O_RDWR);
  attempt("write", ::write(fd, "text", 4));
  attempt("AT_EMPTY_PATH", call(SYS_linkat, fd, "", AT_FDCWD, "linked", AT_EMPTY_PATH));
  record_status("fstat", fd);
}

CALL_CASE(link, of_a_temporary_file_by_proc) {
  const int fd = must_open(".", O_TMPFILE | O_RDWR);
  attempt("write", ::write(fd, "text", 4));
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  attempt("linkat",
          call(SYS_linkat, AT_FDCWD, path.c_str(), AT_FDCWD, "linked", AT_SYMLINK_FOLLOW));
  record("names", names_in("."));
}

CALL_CASE(link, of_an_exclusive_temporary_file) {
  const int fd = must_open(".", O_TMPFILE | O_RDWR | O_EXCL);
  attempt("AT_EMPTY_PATH", call(SYS_linkat, fd, "", AT_FDCWD, "linked", AT_EMPTY_PATH));
}

CALL_CASE(link, of_a_removed_file) {
  make_file("file", "text");
  const int fd = must_open("file", O_RDWR);
  attempt("unlink", ::unlink("file"));
  attempt("AT_EMPTY_PATH", call(SYS_linkat, fd, "", AT_FDCWD, "linked", AT_EMPTY_PATH));
}

CALL_CASE(symlink, targets) {
  for (const char *target : {"x", "/absolute", "../up", "with/slash/", ".", "//"}) {
    const std::string path =
        "link-" + std::to_string(static_cast<int>(target[0])) + std::to_string(std::strlen(target));
    attempt(target, call(SYS_symlink, target, path.c_str()));
    record_status(target, path);
  }
  attempt("empty target", call(SYS_symlink, "", "empty"));
  attempt("empty path", call(SYS_symlink, "target", ""));
  attempt("target of 4095 bytes", call(SYS_symlink, std::string(4095, 't').c_str(), "long"));
  attempt("target of 4096 bytes", call(SYS_symlink, std::string(4096, 't').c_str(), "longer"));
}

CALL_CASE(symlink, existing_things) {
  make_file("file");
  make_directory("dir");
  make_symlink("missing", "dangling");
  for (const char *path :
       {"file", "dir", "dangling", "new/", "dir/new", ".", "/", "file/new", "missing/new"}) {
    attempt(path, call(SYS_symlink, "target", path));
  }
}

CALL_CASE(symlink, bad_pointers) {
  attempt("null target", call(SYS_symlink, nullptr, "link"));
  attempt("null path", call(SYS_symlink, "target", nullptr));
  attempt("both", call(SYS_symlink, nullptr, nullptr));
  attempt("null target, existing path", call(SYS_symlink, 1, "."));
}

CALL_CASE(symlink, below_a_descriptor) {
  make_directory("dir");
  const int dir = must_open("dir", O_RDONLY | O_DIRECTORY);
  attempt("symlinkat", call(SYS_symlinkat, "../target", dir, "link"));
  attempt("again", call(SYS_symlinkat, "../target", dir, "link"));
  make_file("target", "text");
  record("contents", contents_of("dir/link"));
}

CASE(link, by_every_name_of_libc) {
  make_file("file", "text");
  attempt("link", ::link("file", "a"));
  attempt("linkat", ::linkat(AT_FDCWD, "file", AT_FDCWD, "b", 0));
  attempt("symlink", ::symlink("file", "c"));
  attempt("symlinkat", ::symlinkat("file", AT_FDCWD, "d"));
  char target[10];
  attempt("readlink", ::readlink("c", target, sizeof target));
  attempt("readlinkat", ::readlinkat(AT_FDCWD, "d", target, sizeof target));
  record_status("file", "file");
}

}  // namespace
}  // namespace plash::conformance
