// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What libc builds on path calls: stdio, directory streams, real paths, temporary names, tree
// walks.
#include <dirent.h>
#include <ftw.h>
#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <climits>
#include <cstdio>

#include "tests/conformance/world.h"

namespace plash::conformance {
namespace {

CASE(stdio, modes) {
  for (const char *mode :
       {"r", "r+", "w", "w+", "a", "a+", "rb", "re", "wx", "w,ccs=UTF-8", "q", ""}) {
    make_file("file", "text");
    for (const char *path : {"file", "missing"}) {
      ::unlink("missing");
      FILE *file = attempt(std::string(path) + " " + mode, std::fopen(path, mode));
      if (!file) continue;
      record("F_GETFL", Octal{static_cast<unsigned long>(::fcntl(::fileno(file), F_GETFL))});
      attempt("F_GETFD", ::fcntl(::fileno(file), F_GETFD));
      record("descriptor", ::fileno(file));
      std::fclose(file);
    }
  }
}

CASE(stdio, reading_and_writing) {
  FILE *file = attempt("fopen", std::fopen("file", "w+"));
  record("written", std::fprintf(file, "line %d\nline %d\n", 1, 2));
  std::rewind(file);
  char line[100];
  while (std::fgets(line, sizeof line, file)) record("line", line);
  attempt("seek", std::fseek(file, -3, SEEK_END));
  record("character", std::fgetc(file));
  record("position", std::ftell(file));
  std::fclose(file);
  record("contents", contents_of("file"));
}

CASE(stdio, append) {
  make_file("file", "one ");
  FILE *file = attempt("fopen", std::fopen("file", "a"));
  std::fputs("two", file);
  std::fclose(file);
  record("contents", contents_of("file"));
}

CASE(stdio, creation_heeds_umask) {
  ::umask(077);
  std::fclose(std::fopen("closed", "w"));
  ::umask(0);
  std::fclose(std::fopen("open", "w"));
  record_status("closed", "closed");
  record_status("open", "open");
}

CASE(stdio, reopened) {
  make_file("one", "1");
  make_file("two", "2");
  FILE *file = attempt("fopen", std::fopen("one", "r"));
  file = attempt("freopen", std::freopen("two", "r", file));
  record("descriptor", ::fileno(file));
  record("character", std::fgetc(file));
  attempt("missing", std::freopen("missing", "r", file));
  attempt("next descriptor", ::open("one", O_RDONLY));
}

CASE(stdio, reopened_with_another_mode) {
  make_file("file", "text");
  FILE *file = std::fopen("file", "r+");
  file = attempt("freopen", std::freopen(nullptr, "r", file));
  if (file) record("F_GETFL", Octal{static_cast<unsigned long>(::fcntl(::fileno(file), F_GETFL))});
}

CASE(stdio, standard_output_reopened) {
  const int saved = ::dup(STDOUT_FILENO);
  FILE *file = std::freopen("output", "w", stdout);
  const int number = file ? ::fileno(file) : -1;
  std::printf("printed\n");
  std::fflush(stdout);
  ::dup2(saved, STDOUT_FILENO);
  record("descriptor", number);
  record("contents", contents_of("output"));
}

CASE(stdio, directory) {
  make_directory("dir");
  FILE *file = attempt("for reading", std::fopen("dir", "r"));
  if (file) {
    record("character", std::fgetc(file));
    record_error("error", errno);
  }
  attempt("for writing", std::fopen("dir", "w"));
}

CASE(stdio, by_descriptor) {
  make_file("file", "text");
  FILE *file = attempt("fdopen", ::fdopen(must_open("file"), "r"));
  record("character", std::fgetc(file));
  attempt("wrong mode", ::fdopen(must_open("file"), "w"));
  attempt("bad descriptor", ::fdopen(99, "r"));
}

std::vector<std::string> sorted_names(DIR *directory) {
  std::vector<std::string> names;
  while (const dirent *entry = ::readdir(directory))
    names.push_back(std::string(entry->d_name) + ":" + std::to_string(entry->d_type));
  std::sort(names.begin(), names.end());
  return names;
}

void make_tree() {
  make_directory("dir");
  make_file("dir/a");
  make_file("dir/b");
  make_directory("dir/sub");
  make_file("dir/sub/c", "text");
  make_symlink("a", "dir/link");
}

CASE(directory_stream, read_and_rewind) {
  make_tree();
  DIR *directory = attempt("opendir", ::opendir("dir"));
  record("descriptor", ::dirfd(directory));
  attempt("close on exec", ::fcntl(::dirfd(directory), F_GETFD));
  record("names", sorted_names(directory));
  record("at the end", sorted_names(directory));
  make_file("dir/new");
  ::rewinddir(directory);
  record("names", sorted_names(directory));
  attempt("closedir", ::closedir(directory));
  attempt("next descriptor", ::open("dir", O_RDONLY));
}

CASE(directory_stream, tell_and_seek) {
  make_tree();
  DIR *directory = ::opendir("dir");
  ::readdir(directory);
  ::readdir(directory);
  const long position = ::telldir(directory);
  const std::string third = ::readdir(directory)->d_name;
  while (::readdir(directory)) {
  }
  ::seekdir(directory, position);
  record("the same entry", ::readdir(directory)->d_name == third);
  ::rewinddir(directory);
  record("all", sorted_names(directory).size());
}

CASE(directory_stream, errors) {
  make_file("file");
  make_directory("no-read", 0300);
  attempt("missing", ::opendir("missing"));
  attempt("file", ::opendir("file"));
  attempt("empty", ::opendir(""));
  attempt("no permission", ::opendir("no-read"));
  attempt("fdopendir of a file", ::fdopendir(must_open("file")));
  attempt("fdopendir of nothing", ::fdopendir(99));
}

CASE(directory_stream, by_descriptor) {
  make_tree();
  const int fd = must_open("dir", O_RDONLY | O_DIRECTORY);
  DIR *directory = attempt("fdopendir", ::fdopendir(fd));
  record("same descriptor", ::dirfd(directory) == fd);
  record("names", sorted_names(directory));
  attempt("fstatat", ::faccessat(fd, "sub/c", F_OK, 0));
  attempt("closedir", ::closedir(directory));
  attempt("closed", ::fcntl(fd, F_GETFD));
  attempt("O_PATH", ::fdopendir(must_open("dir", O_PATH | O_DIRECTORY)));
}

CASE(directory_stream, entry_removed_meanwhile) {
  make_directory("dir");
  for (int i = 0; i < 100; ++i) make_file("dir/" + std::to_string(i));
  DIR *directory = ::opendir("dir");
  int removed = 0;
  while (const dirent *entry = ::readdir(directory)) {
    if (::unlinkat(::dirfd(directory), entry->d_name, 0) == 0) ++removed;
  }
  record("removed", removed);
  attempt("rmdir", ::rmdir("dir"));
}

CASE(directory_stream, reentrant) {
  make_tree();
  DIR *directory = ::opendir("dir");
  dirent entry;
  dirent *result = nullptr;
  std::vector<std::string> names;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  while (::readdir_r(directory, &entry, &result) == 0 && result) names.emplace_back(entry.d_name);
#pragma GCC diagnostic pop
  std::sort(names.begin(), names.end());
  record("names", names);
}

CASE(directory_stream, scandir) {
  make_tree();
  dirent **list = nullptr;
  const int count = attempt("scandir", ::scandir("dir", &list, nullptr, ::alphasort));
  for (int i = 0; i < count; ++i) record("entry", list[i]->d_name);
  attempt("scandirat", ::scandirat(must_open("dir", O_RDONLY | O_DIRECTORY), "sub", &list, nullptr,
                                   ::alphasort));
  attempt("missing", ::scandir("missing", &list, nullptr, nullptr));
}

CASE(tree, nftw) {
  make_tree();
  static std::vector<std::string> *seen = nullptr;
  std::vector<std::string> all;
  seen = &all;
  const auto visit = [](const char *path, const struct stat *, int type, FTW *) {
    seen->push_back(std::string(path) + ":" + std::to_string(type));
    return 0;
  };
  for (const int flags : {+FTW_PHYS, FTW_PHYS | FTW_DEPTH, 0, FTW_CHDIR | FTW_PHYS}) {
    all.clear();
    attempt("nftw", ::nftw("dir", visit, 4, flags));
    std::sort(all.begin(), all.end());
    record("seen", all);
  }
  record("current directory", current_directory());
}

CASE(tree, glob) {
  make_tree();
  for (const char *pattern :
       {"dir/*", "dir/*/*", "*/a", "dir/[ab]", "none*", "dir/", "dir/sub/c"}) {
    glob_t found{};
    record(pattern, ::glob(pattern, GLOB_MARK, nullptr, &found));
    for (std::size_t i = 0; i < found.gl_pathc; ++i) record("path", found.gl_pathv[i]);
    ::globfree(&found);
  }
}

CASE(real_path, forms) {
  make_tree();
  make_symlink("dir/sub", "sub-link");
  make_symlink("loop", "loop");
  make_symlink("missing", "dangling");
  for (const char *path :
       {".",        "..",         "dir",         "dir/",     "dir/./sub/../a",
        "sub-link", "sub-link/c", "sub-link/..", "dir/link", "loop",
        "dangling", "missing",    "missing/x",   "dir/a/",   "dir/a/..",
        "",         "/",          "//",          "/..",      "/usr/../usr/bin/env"}) {
    char *resolved = ::realpath(path, nullptr);
    if (resolved) {
      record(path, resolved);
    } else {
      record_error(path, errno);
    }
    std::free(resolved);
  }
  char buffer[PATH_MAX];
  record("in a buffer", ::realpath("dir", buffer));
  char *canonical = ::canonicalize_file_name("sub-link");
  record("canonicalize_file_name", canonical);
}

// Whether a name is the template with letters and digits for its six X.
bool fits(const std::string &name, const std::string &pattern) {
  const std::size_t start = pattern.find("XXXXXX");
  if (name.size() != pattern.size() || name == pattern ||
      name.compare(0, start, pattern, 0, start) != 0)
    return false;
  return std::all_of(name.begin() + static_cast<std::ptrdiff_t>(start),
                     name.begin() + static_cast<std::ptrdiff_t>(start) + 6,
                     [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; });
}

CASE(temporary, mkstemp) {
  char name[] = "tmp-XXXXXX";
  const int fd = attempt("mkstemp", ::mkstemp(name));
  record("name fits", fits(name, "tmp-XXXXXX"));
  record_status("fstat", fd);
  record("F_GETFL", Octal{static_cast<unsigned long>(::fcntl(fd, F_GETFL))});
  ::unlink(name);
  char with_suffix[] = "tmp-XXXXXX.txt";
  attempt("mkstemps", ::mkstemps(with_suffix, 4));
  ::unlink(with_suffix);
  char with_flags[] = "tmp-XXXXXX";
  attempt("F_GETFD", ::fcntl(::mkostemp(with_flags, O_CLOEXEC), F_GETFD));
  ::unlink(with_flags);
  char bad[] = "tmp-XXX";
  attempt("bad template", ::mkstemp(bad));
  char missing[] = "missing/tmp-XXXXXX";
  attempt("missing directory", ::mkstemp(missing));
}

CASE(temporary, mkdtemp) {
  char name[] = "tmp-XXXXXX";
  attempt("mkdtemp", ::mkdtemp(name));
  record("name fits", fits(name, "tmp-XXXXXX"));
  record_status("directory", name);
  attempt("rmdir", ::rmdir(name));
  char bad[] = "tmp";
  attempt("bad template", ::mkdtemp(bad));
}

CASE(temporary, names_differ) {
  std::vector<std::string> names;
  for (int i = 0; i < 50; ++i) {
    std::string name = "tmp-XXXXXX";
    if (::mkstemp(name.data()) < 0) set_up_failed("mkstemp");
    names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  record("different", std::unique(names.begin(), names.end()) == names.end());
  record("there", names_in(".") == names);
  for (const std::string &name : names) ::unlink(name.c_str());
}

CASE(temporary, in_the_given_directory) {
  ::setenv("TMPDIR", current_directory().c_str(), 1);
  char *name = ::tempnam(nullptr, "pre");
  record("below", std::string(name ? name : "").starts_with(current_directory() + "/pre"));
  std::free(name);
}

}  // namespace
}  // namespace plash::conformance
