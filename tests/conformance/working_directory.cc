// SPDX-License-Identifier: LGPL-2.1-or-later
//
// chdir(2), fchdir(2), getcwd(3): also where the directory is renamed or removed under the process.
#include <climits>

#include "tests/conformance/world.h"

namespace plash::conformance {
namespace {

// Result and text of the system call.
void record_getcwd(Call call, std::size_t size = 4096) {
  static char buffer[8192];
  std::memset(buffer, '#', sizeof buffer);
  const long length = call(SYS_getcwd, buffer, size);
  if (length < 0) {
    record_error("getcwd", errno);
    return;
  }
  const std::string path = buffer;
  record("length is that of the path", static_cast<std::size_t>(length) == path.size() + 1);
  record("getcwd", path);
}

CALL_CASE(cwd, changes) {
  make_directory("dir");
  make_directory("dir/inner");
  record_getcwd(call);
  attempt("chdir", call(SYS_chdir, "dir/inner"));
  record_getcwd(call);
  attempt("chdir ..", call(SYS_chdir, ".."));
  record_getcwd(call);
  attempt("chdir .", call(SYS_chdir, "."));
  record_getcwd(call);
}

CALL_CASE(cwd, link_leads_to_the_real_path) {
  make_directory("dir");
  make_symlink("dir", "link");
  attempt("chdir", call(SYS_chdir, "link"));
  record_getcwd(call);
}

CALL_CASE(cwd, absolute) {
  make_directory("dir");
  attempt("chdir", call(SYS_chdir, (current_directory() + "/dir").c_str()));
  record_getcwd(call);
  attempt("chdir /", call(SYS_chdir, "/"));
  record_getcwd(call);
  attempt("chdir /..", call(SYS_chdir, "/.."));
  record_getcwd(call);
  attempt("chdir /usr/bin", call(SYS_chdir, "/usr/bin"));
  record_getcwd(call);
}

CALL_CASE(cwd, sizes) {
  const std::size_t length = current_directory().size();
  char buffer[4096];
  attempt("too small by one", call(SYS_getcwd, buffer, length));
  record("just enough", call(SYS_getcwd, buffer, length + 1) == static_cast<long>(length + 1));
  attempt("0", call(SYS_getcwd, buffer, 0));
  attempt("1", call(SYS_getcwd, buffer, 1));
  attempt("null", call(SYS_getcwd, nullptr, 4096));
  attempt("cannot be written", call(SYS_getcwd, 1, 4096));
  attempt("null, 0", call(SYS_getcwd, nullptr, 0));
}

CALL_CASE(cwd, follows_a_rename) {
  make_directory("dir");
  make_directory("dir/inner");
  must_change_directory("dir/inner");
  attempt("rename", ::rename("../../dir", "../../renamed"));
  record_getcwd(call);
  make_file("new", "text");
  attempt("stat", ::access("../../renamed/inner/new", F_OK));
}

CALL_CASE(cwd, follows_a_move_elsewhere) {
  make_directory("dir");
  make_directory("other");
  must_change_directory("dir");
  attempt("rename", ::rename("../dir", "../other/moved"));
  record_getcwd(call);
  attempt("chdir ..", call(SYS_chdir, ".."));
  record_getcwd(call);
}

CALL_CASE(cwd, removed) {
  make_directory("dir");
  must_change_directory("dir");
  attempt("rmdir", ::rmdir("../dir"));
  record_getcwd(call);
  attempt("chdir .", call(SYS_chdir, "."));
  attempt("create", ::open("new", O_CREAT | O_WRONLY, 0644));
  attempt("mkdir", ::mkdir("new", 0755));
  record_status(".", ".");
  record("names", names_in("."));
  attempt("chdir ..", call(SYS_chdir, ".."));
  record_getcwd(call);
}

CALL_CASE(cwd, removed_and_made_again) {
  make_directory("dir");
  must_change_directory("dir");
  attempt("rmdir", ::rmdir("../dir"));
  make_directory("../dir");
  record_getcwd(call);
  attempt("create", ::open("new", O_CREAT | O_WRONLY, 0644));
  attempt("chdir ../dir", call(SYS_chdir, "../dir"));
  record_getcwd(call);
}

CALL_CASE(cwd, parent_removed) {
  make_directory("a");
  make_directory("a/b");
  must_change_directory("a/b");
  attempt("rmdir b", ::rmdir("../b"));
  attempt("rmdir a", ::rmdir("../../a"));
  record_getcwd(call);
  attempt("chdir ..", call(SYS_chdir, ".."));
  record_getcwd(call);
}

CALL_CASE(cwd, by_descriptor) {
  make_directory("dir");
  make_directory("dir/inner");
  const int dir = must_open("dir", O_RDONLY | O_DIRECTORY);
  const int path_only = must_open("dir/inner", O_PATH);
  attempt("fchdir", call(SYS_fchdir, dir));
  record_getcwd(call);
  attempt("fchdir of O_PATH", call(SYS_fchdir, path_only));
  record_getcwd(call);
}

CALL_CASE(cwd, by_descriptor_that_is_no_directory) {
  make_file("file");
  int ends[2];
  if (::pipe(ends) != 0) set_up_failed("pipe");
  attempt("file", call(SYS_fchdir, must_open("file")));
  attempt("pipe", call(SYS_fchdir, ends[0]));
  attempt("-1", call(SYS_fchdir, -1));
  attempt("not open", call(SYS_fchdir, 50));
  record_getcwd(call);
}

CALL_CASE(cwd, by_descriptor_of_a_removed_directory) {
  make_directory("dir");
  const int dir = must_open("dir", O_RDONLY | O_DIRECTORY);
  attempt("rmdir", ::rmdir("dir"));
  attempt("fchdir", call(SYS_fchdir, dir));
  record_getcwd(call);
}

CALL_CASE(cwd, without_search_permission) {
  make_directory("dir", 0600);
  const int dir = must_open("dir", O_RDONLY | O_DIRECTORY);
  attempt("chdir", call(SYS_chdir, "dir"));
  attempt("fchdir", call(SYS_fchdir, dir));
}

CALL_CASE(cwd, without_read_permission) {
  make_directory("dir", 0300);
  attempt("chdir", call(SYS_chdir, "dir"));
  record_getcwd(call);
  attempt("create", ::open("new", O_CREAT | O_WRONLY, 0644));
}

CASE(cwd, inherited_by_fork_and_exec) {
  make_directory("dir");
  must_change_directory("dir");
  in_child("child", [] {
    record("child", current_directory());
    must_change_directory("..");
    record("child, moved", current_directory());
  });
  record("parent", current_directory());
  in_child("executed", [] { ::execl(program().c_str(), "show-directory", nullptr); });
}

CASE(cwd, deep) {
  // Longer than a path may be: only relative steps lead there.
  int depth = 0;
  const std::string name(200, 'd');
  for (; depth < 25; ++depth) {
    if (::mkdir(name.c_str(), 0755) != 0 || ::chdir(name.c_str()) != 0) break;
  }
  record("depth", depth);
  char buffer[8192];
  attempt("system call", ::syscall(SYS_getcwd, buffer, sizeof buffer));
  attempt("stat", ::access("..", F_OK));
  make_file("bottom", "text");
  record("contents", contents_of("bottom"));
  attempt("buffer of PATH_MAX", ::getcwd(buffer, PATH_MAX));
  for (; depth > 0; --depth) {
    if (::unlink("bottom") != 0 && errno != ENOENT) break;
    if (::chdir("..") != 0 || ::rmdir(name.c_str()) != 0) break;
  }
  record("left", depth);
}

CASE(cwd, by_every_name_of_libc) {
  char buffer[4096];
  attempt("getcwd", ::getcwd(buffer, sizeof buffer));
  char *allocated = ::getcwd(nullptr, 0);
  record("allocated", allocated);
  std::free(allocated);
  attempt("too small", ::getcwd(buffer, 2));
  attempt("size 0", ::getcwd(buffer, 0));
  char *name = ::get_current_dir_name();
  record("get_current_dir_name", name);
  std::free(name);
}

}  // namespace
}  // namespace plash::conformance
