// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What each call says to pointers that cannot be read, to base descriptors that are no directory,
// in a directory that was removed, and where permission is missing.
#include <sys/mman.h>
#include <sys/socket.h>

#include "tests/conformance/path_calls.h"
#include "tests/conformance/world.h"

namespace plash::conformance {
namespace {

void make_things() {
  make_file("file", "text");
  make_file("other", "other");
  make_directory("dir");
  make_file("dir/inner", "inner text");
  make_directory("other-dir");
  make_symlink("dir", "dir-link");
}

void try_pointers(const PathCall &path_call, Call call) {
  make_things();
  constexpr std::size_t page = 4096;
  char *memory = static_cast<char *>(
      ::mmap(nullptr, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (memory == MAP_FAILED) set_up_failed("mmap");
  std::memset(memory, 'x', 3 * page);
  char *end = memory + 2 * page;
  if (::mprotect(end, page, PROT_NONE) != 0) set_up_failed("mprotect");
  const auto attempt_pointer = [&](const char *what, const char *path) {
    attempt_path_call(path_call, call, AT_FDCWD, what, path);
  };
  attempt_pointer("null", nullptr);
  attempt_pointer("1", reinterpret_cast<const char *>(1));
  attempt_pointer("memory that cannot be read", end);
  attempt_pointer("in the kernel's half", reinterpret_cast<const char *>(0xffff'8000'0000'0000));
  attempt_pointer("not canonical", reinterpret_cast<const char *>(0x8000'0000'0000'0000));
  std::memcpy(end - 4, "file", 4);
  attempt_pointer("without an end before what cannot be read", end - 4);
  attempt_pointer("4096 bytes without an end", memory);
  std::memcpy(end - 8, "dir/file", 8);
  attempt_pointer("without an end, below a directory", end - 8);
  std::memcpy(end - 6, "other", 6);
  attempt_pointer("ending where what cannot be read begins", end - 6);
  std::memcpy(memory + page - 4, "dir/inner", 10);
  attempt_pointer("over two pages", memory + page - 4);
}

void try_bases(const PathCall &path_call, Call call) {
  make_things();
  const int file = must_open("file");
  const int directory = must_open("dir", O_RDONLY | O_DIRECTORY);
  const int path_only = must_open("dir", O_PATH | O_DIRECTORY);
  const int file_path_only = must_open("file", O_PATH);
  int pair[2], ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0 || ::pipe(ends) != 0)
    set_up_failed("socketpair");
  const std::string absolute = current_directory() + "/other";
  const auto attempt_base = [&](const char *what, int base, const char *path) {
    attempt_path_call(path_call, call, base, what, path);
  };
  attempt_base("a file", file, "inner");
  attempt_base("a file, empty path", file, "");
  attempt_base("a file opened as path", file_path_only, "inner");
  attempt_base("a file opened as path, empty path", file_path_only, "");
  attempt_base("a socket", pair[0], "inner");
  attempt_base("a socket, empty path", pair[1], "");
  attempt_base("a pipe", ends[0], "inner");
  attempt_base("-1", -1, "inner");
  attempt_base("-1, empty path", -1, "");
  attempt_base("one that is not open", 77, "inner");
  attempt_base("one that is not open, empty path", 77, "");
  attempt_base("a high one that is not open", 1'000'000, "inner");
  attempt_base("-1, null path", -1, nullptr);
  attempt_base("a directory, null path", directory, nullptr);
  attempt_base("a directory, empty path", directory, "");
  attempt_base("a directory, what is missing", directory, "missing");
  attempt_base("a directory, ..", directory, "..");
  attempt_base("a directory, .", directory, ".");
  attempt_base("a directory opened as path, empty path", path_only, "");
  attempt_base("-1, absolute path", -1, absolute.c_str());
  make_file("other", "other");
  attempt_base("a file, absolute path", file, absolute.c_str());
  attempt_base("a directory", directory, "inner");
  make_file("dir/inner", "inner text");
  attempt_base("a directory opened as path", path_only, "inner");
}

// Relative paths, where the current directory is no more.
void try_removed(const PathCall &path_call, Call call) {
  make_things();
  make_directory("gone");
  must_change_directory("gone");
  if (::rmdir("../gone") != 0) set_up_failed("rmdir");
  for (const char *path : {"new", ".", "..", "../file", "../missing", "./new", "", "../gone/new"}) {
    attempt_path_call(path_call, call, AT_FDCWD, std::string("\"") + path + "\"", path);
  }
}

void try_permissions(const PathCall &path_call, Call call) {
  make_things();
  make_directory("no-search");
  make_file("no-search/file");
  make_directory("no-write");
  make_file("no-write/file");
  make_directory("no-write/dir");
  make_directory("no-read");
  make_file("no-read/file");
  make_file("closed", "closed", 0);
  make_file("read-only", "read-only", 0444);
  make_directory("shut");
  make_symlink("no-search/file", "link-in");
  ::chmod("no-search", 0600);
  ::chmod("no-write", 0500);
  ::chmod("no-read", 0300);
  ::chmod("shut", 0);
  for (const char *path : {"no-search/file", "no-search/new", "no-search", "no-write/file",
                           "no-write/new", "no-write/dir", "no-read/file", "no-read/new", "no-read",
                           "closed", "read-only", "shut", "shut/..", "link-in"}) {
    attempt_path_call(path_call, call, AT_FDCWD, path, path);
  }
}

const PathCallRegistration pointers("bad_pointer", try_pointers,
                                    [](const PathCall &path_call) { return !path_call.address; });
const PathCallRegistration bases("base", try_bases,
                                 [](const PathCall &path_call) { return path_call.takes_base; });
const PathCallRegistration removed("removed_directory", try_removed);
const PathCallRegistration permissions("permission", try_permissions);

}  // namespace
}  // namespace plash::conformance
