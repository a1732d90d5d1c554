// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Directory streams.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <set>
#include <vector>

#include "tests/shim/preload/libc.h"
#include "tests/support/catch.h"

using plash::test::Directory;
using plash::test::outcome;
using plash::test::Outcome;
using plash::test::untouched;

namespace {

constexpr int file_count = 3000;  // more than one buffer holds

std::string numbered(int i) { return "file-with-a-rather-long-name-" + std::to_string(i); }

std::multiset<std::string> names(DIR *directory) {
  std::multiset<std::string> found;
  while (const dirent *entry = readdir(directory)) found.insert(entry->d_name);
  return found;
}

// The names in what getdents64(2) gave.
std::vector<std::string> names(const char *buffer, ssize_t size) {
  std::vector<std::string> found;
  for (ssize_t place = 0; place < size;) {
    const auto *entry = reinterpret_cast<const dirent *>(buffer + place);
    found.push_back(entry->d_name);
    place += entry->d_reclen;
  }
  return found;
}

}  // namespace

TEST_CASE("a directory is read, rewound and sought") {
  Directory root;
  for (int i = 0; i < file_count; ++i) close(open((root / numbered(i)).c_str(), O_CREAT, 0600));
  DIR *directory = nullptr;
  CHECK(outcome([&] { return (directory = opendir(root.c_str())) != nullptr; }) ==
        Outcome{1, untouched});
  REQUIRE(directory != nullptr);
  CHECK((fcntl(dirfd(directory), F_GETFD) & FD_CLOEXEC) != 0);
  const auto first = names(directory);
  CHECK(first.size() == file_count + 2);
  CHECK(first.count(".") == 1);
  CHECK(outcome([&] { return readdir(directory) == nullptr; }) == Outcome{1, untouched});
  rewinddir(directory);
  CHECK(names(directory) == first);

  rewinddir(directory);
  for (int i = 0; i < 1000; ++i) REQUIRE(readdir(directory) != nullptr);
  const long position = telldir(directory);
  const std::string next = readdir(directory)->d_name;
  for (int i = 0; i < 500; ++i) REQUIRE(readdir64(directory) != nullptr);
  seekdir(directory, position);
  CHECK(readdir(directory)->d_name == next);
  CHECK(closedir(directory) == 0);
}

TEST_CASE("opendir and fdopendir refuse what is no directory") {
  CHECK(outcome([] { return opendir("/etc/passwd") == nullptr; }) == Outcome{1, ENOTDIR});
  CHECK(outcome([] { return opendir("") == nullptr; }) == Outcome{1, ENOENT});
  const int file = open("/etc/passwd", O_RDONLY);
  CHECK(outcome([&] { return fdopendir(file) == nullptr; }) == Outcome{1, ENOTDIR});
  close(file);
  CHECK(outcome([] { return fdopendir(-1) == nullptr; }) == Outcome{1, EBADF});
  CHECK(outcome([] { return closedir(nullptr); }) == Outcome{-1, EINVAL});
  const int fd = open("/", O_RDONLY | O_DIRECTORY);
  DIR *directory = fdopendir(fd);
  REQUIRE(directory != nullptr);
  CHECK(dirfd(directory) == fd);
  CHECK(!names(directory).empty());
  closedir(directory);
  CHECK(outcome([&] { return close(fd); }) == Outcome{-1, EBADF});
}

TEST_CASE("readdir_r reports the end") {
  Directory root;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  DIR *directory = opendir(root.c_str());
  dirent entry;
  dirent *result;
  for (int i = 0; i < 2; ++i) {
    CHECK(readdir_r(directory, &entry, &result) == 0);
    CHECK(result == &entry);
  }
  CHECK(readdir_r(directory, &entry, &result) == 0);
  CHECK(result == nullptr);
  closedir(directory);
#pragma GCC diagnostic pop
}

TEST_CASE("scandir selects and sorts") {
  Directory root;
  for (const char *name : {"b10", "b9", "a", "c"})
    close(open((root / name).c_str(), O_CREAT, 0600));
  dirent **list;
  const auto is_b = [](const dirent *entry) {
    errno = EIO;  // is not scandir's
    return static_cast<int>(entry->d_name[0] == 'b');
  };
  CHECK(outcome([&] { return scandir(root.c_str(), &list, is_b, versionsort); }) ==
        Outcome{2, untouched});
  CHECK(list[0]->d_name == std::string("b9"));
  CHECK(list[1]->d_name == std::string("b10"));
  for (int i = 0; i < 2; ++i) free(list[i]);
  free(list);
  const auto none = [](const dirent *) { return 0; };
  CHECK(scandir(root.c_str(), &list, none, nullptr) == 0);
  free(list);
  const int base = open(root.c_str(), O_RDONLY | O_DIRECTORY);
  CHECK(scandirat(base, ".", &list, nullptr, alphasort) == 6);
  CHECK(list[5]->d_name == std::string("c"));
  for (int i = 0; i < 6; ++i) free(list[i]);
  free(list);
  CHECK(outcome([&] { return scandirat(base, "a", &list, nullptr, nullptr); }) ==
        Outcome{-1, ENOTDIR});
  close(base);
}

TEST_CASE("directory descriptors are read, positioned and locked as the kernel does") {
  const int fd = open("/", O_RDONLY | O_DIRECTORY);
  alignas(dirent) char buffer[4096];
  CHECK(outcome([&] { return read(fd, buffer, sizeof buffer); }) == Outcome{-1, EISDIR});
  CHECK(outcome([&] { return pread(fd, buffer, sizeof buffer, 0); }) == Outcome{-1, EISDIR});
  const ssize_t size = getdents64(fd, buffer, sizeof buffer);
  CHECK(size > 0);
  CHECK(lseek(fd, 0, SEEK_SET) == 0);
  alignas(dirent) char again[4096];
  CHECK(getdents64(fd, again, sizeof again) == size);
  CHECK(names(again, size) == names(buffer, size));
  off_t base;
  CHECK(lseek(fd, 0, SEEK_SET) == 0);
  CHECK(getdirentries(fd, again, sizeof again, &base) == size);
  CHECK(base == 0);
  CHECK(fsync(fd) == 0);
  close(fd);
}
