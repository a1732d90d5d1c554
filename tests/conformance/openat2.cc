// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openat2(2): resolve flags, sizes of the structure, and values that it refuses.
#include <linux/openat2.h>

#include <cstdint>

#include "tests/conformance/world.h"

namespace plash::conformance {
namespace {

void make_things() {
  make_file("file", "text");
  make_directory("dir");
  make_file("dir/inner", "inner");
  make_directory("dir/deep");
  make_file("dir/deep/deeper", "deeper");
  make_symlink("inner", "dir/link");
  make_symlink("../file", "dir/up");
  make_symlink("deep/../../file", "dir/around");
  make_symlink("/inner", "dir/from-root");
  make_symlink("/missing", "dir/from-root-missing");
  make_symlink("dir", "dir-link");
  make_symlink("../../../../../../../../inner", "dir/far-up");
}

void attempt_openat2(Call call, std::string_view what, int base, const char *path, open_how how,
                     std::size_t size = sizeof(open_how)) {
  const long fd = attempt(what, call(SYS_openat2, base, path, &how, size));
  if (fd >= 0) {
    record_status("is", static_cast<int>(fd));
    ::close(static_cast<int>(fd));
  }
}

constexpr const char *paths[] = {"inner",
                                 "deep/deeper",
                                 "deep/../inner",
                                 ".",
                                 "..",
                                 "../file",
                                 "../dir/inner",
                                 "deep/../../dir/inner",
                                 "link",
                                 "up",
                                 "around",
                                 "from-root",
                                 "from-root-missing",
                                 "far-up",
                                 "/inner",
                                 "/",
                                 "/../inner",
                                 "../../../inner",
                                 "../dir-link",
                                 "up/",
                                 "missing",
                                 "deep/",
                                 "/.."};

void try_paths(Call call, std::uint64_t resolve) {
  make_things();
  const int dir = must_open("dir", O_RDONLY | O_DIRECTORY);
  for (const char *path : paths)
    attempt_openat2(call, path, dir, path, {.flags = O_RDONLY, .mode = 0, .resolve = resolve});
}

CALL_CASE(openat2, no_resolve_flag) {
  make_things();
  const int dir = must_open("dir", O_RDONLY | O_DIRECTORY);
  for (const char *path : {"inner", "../file", "link", "up", "around", "../dir-link"}) {
    attempt_openat2(call, path, dir, path, {.flags = O_RDONLY, .mode = 0, .resolve = 0});
  }
}
CALL_CASE(openat2, beneath) { try_paths(call, RESOLVE_BENEATH); }
CALL_CASE(openat2, in_root) { try_paths(call, RESOLVE_IN_ROOT); }
CALL_CASE(openat2, no_symlinks) {
  make_things();
  const int dir = must_open("dir", O_RDONLY | O_DIRECTORY);
  for (const char *path : {"inner", "../file", "link", "up", "around", "../dir-link",
                           "../dir-link/inner", "deep/../inner"}) {
    attempt_openat2(call, path, dir, path,
                    {.flags = O_RDONLY, .mode = 0, .resolve = RESOLVE_NO_SYMLINKS});
    attempt_openat2(call, "as path, not followed", dir, path,
                    {.flags = O_PATH | O_NOFOLLOW, .mode = 0, .resolve = RESOLVE_NO_SYMLINKS});
  }
}
CALL_CASE(openat2, beneath_without_symlinks) {
  try_paths(call, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}
CALL_CASE(openat2, in_root_without_symlinks) {
  try_paths(call, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
}
CALL_CASE(openat2, no_magic_links) {
  make_things();
  const int dir = must_open("dir", O_RDONLY | O_DIRECTORY);
  for (const char *path : {"inner", "link", "up", "around"}) {
    attempt_openat2(call, path, dir, path,
                    {.flags = O_RDONLY, .mode = 0, .resolve = RESOLVE_NO_MAGICLINKS});
  }
}
CALL_CASE(openat2, magic_links) {
  make_file("file");
  const int file = must_open("file", O_RDONLY);
  const std::string descriptor = "/proc/self/fd/" + std::to_string(file);
  for (const std::uint64_t resolve :
       {RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH, RESOLVE_NO_XDEV}) {
    for (const std::string &path :
         {std::string("/proc/self/exe"), std::string("/proc/self/cwd"), descriptor}) {
      attempt_openat2(call, path.c_str(), AT_FDCWD, path.c_str(),
                      {.flags = O_RDONLY, .mode = 0, .resolve = resolve});
    }
  }
}
CALL_CASE(openat2, no_mount_points) {
  make_things();
  const int dir = must_open("dir", O_RDONLY | O_DIRECTORY);
  for (const char *path : {"inner", "deep/deeper", "../file", "up"}) {
    attempt_openat2(call, path, dir, path,
                    {.flags = O_RDONLY, .mode = 0, .resolve = RESOLVE_NO_XDEV});
  }
}
CALL_CASE(openat2, beneath_and_in_root) {
  make_things();
  attempt_openat2(call, "both", AT_FDCWD, "file",
                  {.flags = O_RDONLY, .mode = 0, .resolve = RESOLVE_BENEATH | RESOLVE_IN_ROOT});
}
CALL_CASE(openat2, cached) {
  make_things();
  attempt_openat2(call, "creating", AT_FDCWD, "new",
                  {.flags = O_RDWR | O_CREAT, .mode = 0644, .resolve = RESOLVE_CACHED});
  attempt_openat2(call, "truncating", AT_FDCWD, "file",
                  {.flags = O_RDWR | O_TRUNC, .mode = 0, .resolve = RESOLVE_CACHED});
}

CALL_CASE(openat2, creates) {
  ::umask(022);
  attempt_openat2(call, "new", AT_FDCWD, "new",
                  {.flags = O_RDWR | O_CREAT, .mode = 0666, .resolve = 0});
  attempt_openat2(call, "exclusive", AT_FDCWD, "new",
                  {.flags = O_RDWR | O_CREAT | O_EXCL, .mode = 0666, .resolve = 0});
  make_directory("dir");
  attempt_openat2(call, "beneath", AT_FDCWD, "dir/new",
                  {.flags = O_RDWR | O_CREAT, .mode = 0600, .resolve = RESOLVE_BENEATH});
  attempt_openat2(call, "above", AT_FDCWD, "../new",
                  {.flags = O_RDWR | O_CREAT, .mode = 0600, .resolve = RESOLVE_BENEATH});
  attempt_openat2(call, "in root", AT_FDCWD, "/dir/newer",
                  {.flags = O_RDWR | O_CREAT, .mode = 0600, .resolve = RESOLVE_IN_ROOT});
}

CALL_CASE(openat2, refuses_modes) {
  make_file("file");
  attempt_openat2(call, "mode without O_CREAT", AT_FDCWD, "file",
                  {.flags = O_RDONLY, .mode = 0644, .resolve = 0});
  attempt_openat2(call, "mode out of range", AT_FDCWD, "new",
                  {.flags = O_RDWR | O_CREAT, .mode = 0200644, .resolve = 0});
  attempt_openat2(call, "huge mode", AT_FDCWD, "new",
                  {.flags = O_RDWR | O_CREAT, .mode = 1ULL << 40, .resolve = 0});
}

CALL_CASE(openat2, refuses_flags) {
  make_file("file");
  attempt_openat2(call, "unknown flag", AT_FDCWD, "file",
                  {.flags = 0x20000000, .mode = 0, .resolve = 0});
  attempt_openat2(call, "flag beyond 32 bits", AT_FDCWD, "file",
                  {.flags = 1ULL << 40, .mode = 0, .resolve = 0});
  attempt_openat2(call, "unknown resolve flag", AT_FDCWD, "file",
                  {.flags = O_RDONLY, .mode = 0, .resolve = 0x100});
  attempt_openat2(call, "resolve flag beyond 32 bits", AT_FDCWD, "file",
                  {.flags = O_RDONLY, .mode = 0, .resolve = 1ULL << 40});
  attempt_openat2(call, "O_PATH with O_RDWR", AT_FDCWD, "file",
                  {.flags = O_PATH | O_RDWR, .mode = 0, .resolve = 0});
  attempt_openat2(call, "O_PATH with O_CREAT", AT_FDCWD, "file",
                  {.flags = O_PATH | O_CREAT, .mode = 0644, .resolve = 0});
  attempt_openat2(call, "O_TMPFILE read-only", AT_FDCWD, ".",
                  {.flags = O_TMPFILE, .mode = 0644, .resolve = 0});
}

CALL_CASE(openat2, sizes_of_the_structure) {
  make_file("file");
  const open_how how{.flags = O_RDONLY, .mode = 0, .resolve = 0};
  attempt_openat2(call, "0 bytes", AT_FDCWD, "file", how, 0);
  attempt_openat2(call, "23 bytes", AT_FDCWD, "file", how, 23);
  char longer[64] = {};
  std::memcpy(longer, &how, sizeof how);
  attempt("64 bytes, zeros", call(SYS_openat2, AT_FDCWD, "file", longer, sizeof longer));
  longer[40] = 1;
  attempt("64 bytes, not zeros", call(SYS_openat2, AT_FDCWD, "file", longer, sizeof longer));
  static char large[5000];
  attempt("5000 bytes", call(SYS_openat2, AT_FDCWD, "file", large, sizeof large));
  attempt("null", call(SYS_openat2, AT_FDCWD, "file", nullptr, sizeof how));
  attempt("null, 0 bytes", call(SYS_openat2, AT_FDCWD, "file", nullptr, 0));
}

CALL_CASE(openat2, close_on_exec) {
  make_file("file");
  open_how how{.flags = O_RDONLY | O_CLOEXEC, .mode = 0, .resolve = 0};
  const int fd =
      static_cast<int>(attempt("openat2", call(SYS_openat2, AT_FDCWD, "file", &how, sizeof how)));
  attempt("F_GETFD", ::fcntl(fd, F_GETFD));
}

}  // namespace
}  // namespace plash::conformance
