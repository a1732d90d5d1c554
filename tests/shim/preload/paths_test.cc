// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Working directory, real paths, temporary names.
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include <set>

#include "tests/shim/preload/libc.h"
#include "tests/support/catch.h"

using plash::test::Directory;
using plash::test::libc;
using plash::test::outcome;
using plash::test::Outcome;
using plash::test::untouched;

TEST_CASE("the working directory is changed and named") {
  Directory root;
  const int start = open(".", O_RDONLY | O_DIRECTORY);
  REQUIRE(chdir(root.c_str()) == 0);
  char buffer[PATH_MAX];
  CHECK(getcwd(buffer, sizeof buffer) == std::string(root.c_str()));
  CHECK(outcome([&] { return getcwd(buffer, 3) == nullptr; }) == Outcome{1, ERANGE});
  CHECK(outcome([&] { return getcwd(buffer, 0) == nullptr; }) == Outcome{1, EINVAL});
  char *allocated = getcwd(nullptr, 0);
  CHECK(allocated == std::string(root.c_str()));
  free(allocated);
  setenv("PWD", "/nowhere", 1);
  allocated = get_current_dir_name();
  CHECK(allocated == std::string(root.c_str()));
  free(allocated);
  mkdir("gone", 0700);
  REQUIRE(chdir("gone") == 0);
  REQUIRE(rmdir(root.operator/("gone").c_str()) == 0);
  CHECK(outcome([&] { return getcwd(buffer, sizeof buffer) == nullptr; }) == Outcome{1, ENOENT});
  CHECK(outcome([] { return chdir("/nowhere"); }) == Outcome{-1, ENOENT});
  CHECK(outcome([] { return chdir("/etc/passwd"); }) == Outcome{-1, ENOTDIR});
  REQUIRE(fchdir(start) == 0);
  close(start);
}

TEST_CASE("realpath gives libc's results") {
  Directory root;
  mkdir((root / "a").c_str(), 0755);
  mkdir((root / "a/b").c_str(), 0755);
  close(open((root / "a/file").c_str(), O_CREAT, 0600));
  symlink("a/b", (root / "relative").c_str());
  symlink((root / "a").c_str(), (root / "absolute").c_str());
  symlink("../file", (root / "a/b/up").c_str());
  symlink("loop", (root / "loop").c_str());
  symlink("missing/x", (root / "dangling").c_str());
  for (const std::string &path : {root / "a/b/up",
                                  root / "relative/up",
                                  root / "relative/../file",
                                  root / "absolute/b/./",
                                  root / "loop",
                                  root / "loop/x",
                                  root / "dangling",
                                  root / "missing",
                                  root / "missing/more",
                                  root / "missing/..",
                                  root / "a/file/",
                                  root / "a/file/.",
                                  root / "a/file/..",
                                  root / "a/file/x",
                                  std::string("/"),
                                  std::string("//"),
                                  std::string("/.."),
                                  std::string(""),
                                  std::string("."),
                                  std::string(".."),
                                  std::string(4096, 'x'),
                                  "/" + std::string(300, 'x'),
                                  root / "absolute///b//up",
                                  std::string("/etc/passwd/")}) {
    INFO(path);
    char ours[PATH_MAX] = "";
    char own[PATH_MAX] = "";
    const auto shim_outcome = outcome([&] { return realpath(path.c_str(), ours) != nullptr; });
    const auto own_outcome = outcome([&] {
      return libc<char *(const char *, char *)>("realpath")(path.c_str(), own) != nullptr;
    });
    CHECK(shim_outcome.result == own_outcome.result);
    if (own_outcome.result == 1) {
      CHECK(shim_outcome.error == untouched);
      CHECK(std::string(ours) == own);
    } else {
      CHECK(shim_outcome.error == own_outcome.error);
    }
    char *allocated = canonicalize_file_name(path.c_str());
    CHECK((allocated != nullptr) == (own_outcome.result == 1));
    if (allocated != nullptr) CHECK(std::string(allocated) == own);
    free(allocated);
  }
  CHECK(outcome([] { return realpath(nullptr, nullptr) == nullptr; }) == Outcome{1, EINVAL});
  // The name that failed is left in the buffer.
  char name[PATH_MAX];
  CHECK(realpath((root / "relative/missing/more").c_str(), name) == nullptr);
  CHECK(std::string(name) == root / "a/b/missing");
}

TEST_CASE("temporary files have fresh names and the right modes") {
  Directory root;
  std::set<std::string> names;
  for (int i = 0; i < 50; ++i) {
    std::string name = root / "fileXXXXXX";
    int fd = -1;
    CHECK(outcome([&] { return (fd = mkstemp(name.data())) >= 0; }) == Outcome{1, untouched});
    struct stat status;
    REQUIRE(fstat(fd, &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
    CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
    close(fd);
    CHECK(names.insert(name).second);
  }
  std::string name = root / "fileXXXXXX.txt";
  const int fd = mkostemps(name.data(), 4, O_CLOEXEC | O_APPEND);
  REQUIRE(fd >= 0);
  CHECK(name.substr(name.size() - 4) == ".txt");
  CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
  CHECK((fcntl(fd, F_GETFL) & O_APPEND) != 0);
  close(fd);
  name = root / "dirXXXXXX";
  REQUIRE(mkdtemp(name.data()) == name.data());
  struct stat status;
  REQUIRE(stat(name.c_str(), &status) == 0);
  CHECK(status.st_mode == (S_IFDIR | 0700));

  std::string bad = root / "fileXXXXX";
  CHECK(outcome([&] { return mkstemp(bad.data()); }) == Outcome{-1, EINVAL});
  std::string elsewhere = "/nowhere/fileXXXXXX";
  CHECK(outcome([&] { return mkstemp(elsewhere.data()); }) == Outcome{-1, ENOENT});
  std::string short_name = "XXXXXX";
  CHECK(outcome([&] { return mkstemps(short_name.data(), 4); }) == Outcome{-1, EINVAL});
}

TEST_CASE("tmpfile is a nameless file, tmpnam and tempnam give free names") {
  FILE *stream = tmpfile();
  REQUIRE(stream != nullptr);
  struct stat status;
  REQUIRE(fstat(fileno(stream), &status) == 0);
  CHECK(status.st_nlink == 0);
  fputs("text", stream);
  rewind(stream);
  char text[8] = "";
  CHECK(fgets(text, sizeof text, stream) == std::string("text"));
  fclose(stream);
  Directory root;
  char *name = tempnam(root.c_str(), "plash-long");
  REQUIRE(name != nullptr);
  CHECK(std::string(name).rfind(root / "plash", 0) == 0);
  CHECK(access(name, F_OK) == -1);
  free(name);
}
