// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How each call takes paths of all forms (path_resolution(7)). Each path is tried in a directory of
// its own with the same things in it.
#include <sys/xattr.h>

#include "tests/conformance/path_calls.h"
#include "tests/conformance/world.h"

namespace plash::conformance {
namespace {

void make_things() {
  make_file("file", "text");
  make_file("other", "other");
  make_directory("dir");
  make_file("dir/inner", "inner text");
  make_directory("empty");
  make_directory("other-dir");
  make_symlink("file", "link");
  make_symlink("dir", "dir-link");
  make_symlink("dir/", "dir-link-slash");
  make_symlink("dir-link", "link-to-link");
  make_symlink("missing", "dangling");
  make_symlink("file/", "file-link-slash");
  make_symlink("../file", "dir/up-link");
  make_symlink(current_directory() + "/dir", "absolute");
  ::setxattr("file", "user.there", "1", 1, 0);
  ::setxattr("dir", "user.there", "12", 2, 0);
}

// Runs attempt in a new directory with the things in it.
template <typename Attempt>
void with_things(int number, Attempt attempt) {
  const std::string top = current_directory();
  const std::string name = "w" + std::to_string(number);
  make_directory(name);
  must_change_directory(name);
  make_things();
  attempt();
  must_change_directory(top);
}

void try_forms(const PathCall &path_call, Call call) {
  constexpr const char *forms[] = {
      "file", "dir", "empty", "link", "dir-link", "link-to-link", "dangling", "missing",
      "dir/inner", "dir-link/inner", "dir/up-link", "link-to-link/up-link", "absolute/inner",
      "absolute",
      // slashes at the end
      "file/", "dir/", "empty/", "link/", "dir-link/", "dangling/", "missing/", "dir//",
      "dir-link-slash", "file-link-slash", "dir-link-slash/inner",
      // dots
      ".", "..", "./", "dir/.", "dir/..", "empty/.", "empty/..", "file/.", "file/..", "missing/.",
      "missing/..", "dir-link/..", "dir-link/.", "./file", "dir/../file", "dir-link/../file",
      "dir/./inner", "...",
      // what is no directory, in the middle
      "file/inner", "link/inner", "dangling/inner", "missing/inner",
      // empty, and slashes in the middle
      "", "dir//inner", ".//file"};
  int number = 0;
  for (const char *form : forms) {
    with_things(number++, [&] {
      attempt_path_call(path_call, call, AT_FDCWD, std::string("\"") + form + "\"", form);
    });
  }
  with_things(number++, [&] {
    attempt_path_call(path_call, call, AT_FDCWD, "absolute path of file",
                      (current_directory() + "/file").c_str());
  });
  with_things(number++, [&] {
    attempt_path_call(path_call, call, AT_FDCWD, "absolute path with // and /./",
                      ("/" + current_directory() + "/.//dir/./inner").c_str());
  });
}

void try_lengths(const PathCall &path_call, Call call) {
  make_things();
  const auto attempt_length = [&](const std::string &what, const std::string &path) {
    attempt_path_call(path_call, call, AT_FDCWD, what, path.c_str());
  };
  attempt_length("name of 255 bytes", std::string(255, 'n'));
  attempt_length("name of 256 bytes", std::string(256, 'm'));
  attempt_length("name of 256 bytes in the middle", std::string(256, 'm') + "/file");
  attempt_length("directory of 255 bytes that is missing",
                 "dir/" + std::string(255, 'd') + "/file");
  const auto dots = [](int count) {
    std::string path;
    while (count-- > 0) path += "./";
    return path;
  };
  attempt_length("path of 4095 bytes", dots(2045) + "other");
  attempt_length("path of 4096 bytes", dots(2045) + "dir/..");
  attempt_length("path of 5000 bytes", dots(2497) + "file/x");
  attempt_length("name of 5000 bytes", std::string(5000, 'x'));
}

void try_loops(const PathCall &path_call, Call call) {
  make_things();
  make_symlink("self", "self");
  make_symlink("loop-b", "loop-a");
  make_symlink("loop-a", "loop-b");
  // The kernel follows 40 links at most; at exactly 40 it sometimes gives up, chain-39 never.
  make_symlink("dir", "chain-1");
  for (int i = 2; i <= 41; ++i)
    make_symlink("chain-" + std::to_string(i - 1), "chain-" + std::to_string(i));
  for (const char *path :
       {"self", "self/", "self/file", "loop-a", "loop-b/file", "dir/../self", "chain-41",
        "chain-41/", "chain-41/inner", "chain-39/inner", "chain-39/.", "chain-39"}) {
    attempt_path_call(path_call, call, AT_FDCWD, path, path);
  }
}

const PathCallRegistration forms("path_form", try_forms);
const PathCallRegistration lengths("path_length", try_lengths,
                                   [](const PathCall &path_call) { return !path_call.address; });
const PathCallRegistration loops("loop", try_loops);

}  // namespace
}  // namespace plash::conformance
