// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Files by name: each call of the shim's beside libc's own, on the same paths, results and errno
// compared.
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <utime.h>

#include <vector>

#include "tests/shim/preload/libc.h"
#include "tests/support/catch.h"

using plash::test::Directory;
using plash::test::libc;
using plash::test::outcome;
using plash::test::Outcome;

namespace {

struct Tree {
  Tree() {
    close(open((root / "file").c_str(), O_CREAT | O_WRONLY, 0644));
    mkdir((root / "directory").c_str(), 0755);
    symlink("file", (root / "link").c_str());
    symlink("loop", (root / "loop").c_str());
    symlink("nowhere", (root / "dangling").c_str());
    paths = {root / "file",
             root / "directory",
             root / "link",
             root / "loop",
             root / "dangling",
             root / "missing",
             root / "file/x",
             root / "link/",
             root / "directory/",
             root / "",
             "",
             root / std::string(300, 'x'),
             std::string(5000, 'y'),
             "/",
             root / "directory/..",
             "relative-and-missing"};
  }
  Directory root;
  std::vector<std::string> paths;
};

// For each path both outcomes must be the same; libc may touch errno where it succeeds, the shim
// does not.
template <class Shim, class Own>
void compare(const Tree &tree, Shim shim, Own own) {
  for (const auto &path : tree.paths) {
    INFO(path);
    const Outcome ours = outcome([&] { return shim(path.c_str()); });
    Outcome expected = outcome([&] { return own(path.c_str()); });
    if (expected.result != -1) expected.error = plash::test::untouched;
    CHECK(ours == expected);
  }
}

bool same(const struct stat &a, const struct stat &b) {
  return a.st_ino == b.st_ino && a.st_dev == b.st_dev && a.st_mode == b.st_mode &&
         a.st_size == b.st_size && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec && a.st_uid == b.st_uid;
}

extern "C" {
int __xstat(int, const char *, struct stat *);
int __lxstat64(int, const char *, struct stat *);
int __fxstatat(int, int, const char *, struct stat *, int);
}

}  // namespace

TEST_CASE("open gives libc's results") {
  Tree tree;
  const auto close_if_open = [](int fd) { return fd < 0 ? fd : close(fd); };
  for (const int flags :
       {O_RDONLY, O_WRONLY, O_RDWR | O_NOFOLLOW, O_RDONLY | O_DIRECTORY, O_PATH}) {
    INFO(flags);
    compare(
        tree, [&](auto *path) { return close_if_open(open(path, flags)); },
        [&](auto *path) { return close_if_open(libc<decltype(open)>("open")(path, flags)); });
    compare(
        tree, [&](auto *path) { return close_if_open(openat64(AT_FDCWD, path, flags)); },
        [&](auto *path) {
          return close_if_open(libc<decltype(openat)>("openat")(AT_FDCWD, path, flags));
        });
  }
  CHECK(outcome([] { return openat(-5, "x", O_RDONLY); }) == Outcome{-1, EBADF});
  CHECK(outcome([] { return open(reinterpret_cast<const char *>(1), O_RDONLY); }) ==
        Outcome{-1, EFAULT});
}

TEST_CASE("the mode reaches the file, and the lowest descriptor is given") {
  Directory root;
  const mode_t old = umask(027);
  const int lowest = dup(0);
  close(lowest);
  const int fd = open((root / "new").c_str(), O_CREAT | O_WRONLY | O_EXCL, 0666);
  CHECK(fd == lowest);
  struct stat status;
  REQUIRE(fstat(fd, &status) == 0);
  CHECK((status.st_mode & 07777) == 0640);
  close(fd);
  REQUIRE(creat((root / "other").c_str(), 0777) == lowest);
  close(lowest);
  REQUIRE(stat((root / "other").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0750);
  CHECK(umask(old) == 027);
  CHECK(outcome([&] { return open((root / "new").c_str(), O_CREAT | O_EXCL, 0600); }) ==
        Outcome{-1, EEXIST});
}

TEST_CASE("stat and relatives give libc's results") {
  Tree tree;
  for (const auto &path : tree.paths) {
    INFO(path);
    struct stat ours = {};
    struct stat own = {};
    CHECK(outcome([&] { return stat(path.c_str(), &ours); }) == outcome([&] {
            return libc<int(const char *, struct stat *)>("stat")(path.c_str(), &own);
          }));
    CHECK(same(ours, own));
    CHECK(outcome([&] { return lstat(path.c_str(), &ours); }) == outcome([&] {
            return libc<int(const char *, struct stat *)>("lstat")(path.c_str(), &own);
          }));
    CHECK(same(ours, own));
    CHECK(outcome([&] { return __xstat(1, path.c_str(), &ours); }) ==
          outcome([&] { return libc<decltype(__xstat)>("__xstat")(1, path.c_str(), &own); }));
    CHECK(same(ours, own));
    CHECK(outcome([&] { return __lxstat64(1, path.c_str(), &ours); }) ==
          outcome([&] { return libc<decltype(__lxstat64)>("__lxstat64")(1, path.c_str(), &own); }));
    struct statx extended;
    CHECK(outcome([&] { return statx(AT_FDCWD, path.c_str(), 0, STATX_BASIC_STATS, &extended); }) ==
          outcome([&] {
            return libc<decltype(statx)>("statx")(AT_FDCWD, path.c_str(), 0, STATX_BASIC_STATS,
                                                  &extended);
          }));
  }
  struct stat status;
  CHECK(outcome([&] { return __xstat(7, "/", &status); }) == Outcome{-1, EINVAL});
  CHECK(outcome([&] { return __fxstatat(1, AT_FDCWD, "/", &status, 0); }) ==
        Outcome{0, plash::test::untouched});
  CHECK(outcome([&] { return fstat(-1, &status); }) == Outcome{-1, EBADF});
  CHECK(outcome([&] { return fstatat(0, "", &status, AT_EMPTY_PATH); }) ==
        Outcome{0, plash::test::untouched});
}

TEST_CASE("access, readlink and statfs give libc's results") {
  Tree tree;
  for (const int mode : {F_OK, R_OK, X_OK, 99}) {
    compare(
        tree, [&](auto *path) { return access(path, mode); },
        [&](auto *path) { return libc<decltype(access)>("access")(path, mode); });
    compare(
        tree, [&](auto *path) { return eaccess(path, mode); },
        [&](auto *path) { return libc<decltype(eaccess)>("eaccess")(path, mode); });
    compare(
        tree, [&](auto *path) { return faccessat(AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW); },
        [&](auto *path) {
          return libc<decltype(faccessat)>("faccessat")(AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW);
        });
  }
  char buffer[PATH_MAX];
  compare(
      tree, [&](auto *path) { return readlink(path, buffer, sizeof buffer); },
      [&](auto *path) {
        return libc<decltype(readlink)>("readlink")(path, buffer, sizeof buffer);
      });
  struct statvfs status;
  compare(
      tree, [&](auto *path) { return statvfs(path, &status); },
      [&](auto *path) {
        return libc<int(const char *, struct statvfs *)>("statvfs")(path, &status);
      });
  struct statvfs own;
  REQUIRE(statvfs(tree.root.c_str(), &status) == 0);
  REQUIRE(libc<int(const char *, struct statvfs *)>("statvfs")(tree.root.c_str(), &own) == 0);
  CHECK(status.f_flag == own.f_flag);
  CHECK(status.f_fsid == own.f_fsid);
  CHECK(status.f_frsize == own.f_frsize);
  CHECK(status.f_namemax == own.f_namemax);
  for (const int name :
       {_PC_NAME_MAX, _PC_PATH_MAX, _PC_LINK_MAX, _PC_FILESIZEBITS, _PC_ASYNC_IO}) {
    compare(
        tree, [&](auto *path) { return pathconf(path, name); },
        [&](auto *path) { return libc<decltype(pathconf)>("pathconf")(path, name); });
  }
}

TEST_CASE("names are made, moved and removed with libc's errors") {
  Tree tree;
  compare(
      tree, [](auto *path) { return mkdir(path, 0755) == 0 ? rmdir(path) : -1; },
      [](auto *path) {
        return libc<decltype(mkdir)>("mkdir")(path, 0755) == 0
                   ? libc<decltype(rmdir)>("rmdir")(path)
                   : -1;
      });
  compare(
      tree, [](auto *path) { return mkfifo(path, 0600) == 0 ? remove(path) : -1; },
      [](auto *path) {
        return libc<decltype(mkfifo)>("mkfifo")(path, 0600) == 0
                   ? libc<decltype(remove)>("remove")(path)
                   : -1;
      });
  // Whether "/" is on another file system than the tree, which is the kernel's first question, is
  // the machine's business.
  std::erase(tree.paths, "/");
  const std::string to = tree.root / "to";
  const auto there_and_back = [&](auto *move, const char *path) {
    return move(path, to.c_str()) == 0 ? move(to.c_str(), path) : -1;
  };
  compare(
      tree, [&](auto *path) { return there_and_back(rename, path); },
      [&](auto *path) { return there_and_back(libc<decltype(rename)>("rename"), path); });
  compare(
      tree, [&](auto *path) { return link(path, to.c_str()) == 0 ? unlink(to.c_str()) : -1; },
      [&](auto *path) {
        return libc<decltype(link)>("link")(path, to.c_str()) == 0
                   ? libc<decltype(unlink)>("unlink")(to.c_str())
                   : -1;
      });
  const std::string file = tree.root / "file";
  CHECK(outcome([&] {
          return renameat2(AT_FDCWD, file.c_str(), AT_FDCWD, file.c_str(), RENAME_NOREPLACE);
        }) == Outcome{-1, EEXIST});
  CHECK(outcome([&] { return mknod(to.c_str(), S_IFREG | 0600, 1ull << 40); }) ==
        Outcome{-1, EINVAL});
  CHECK(remove((tree.root / "directory").c_str()) == 0);
  CHECK(remove(file.c_str()) == 0);
  CHECK(outcome([&] { return remove(file.c_str()); }) == Outcome{-1, ENOENT});
}

TEST_CASE("modes, owners and times are changed") {
  Tree tree;
  std::erase(tree.paths, "/");  // the machine's: run by root, this would change its mode
  const std::string file = tree.root / "file";
  const std::string link = tree.root / "link";
  struct stat status;
  compare(
      tree, [](auto *path) { return chmod(path, 0700); },
      [](auto *path) { return libc<decltype(chmod)>("chmod")(path, 0700); });
  CHECK(outcome([&] { return lchmod(link.c_str(), 0600); }) == Outcome{-1, EOPNOTSUPP});
  CHECK(outcome([&] { return fchmodat(AT_FDCWD, file.c_str(), 0600, 0x8000); }) ==
        Outcome{-1, EINVAL});
  CHECK(lchmod(file.c_str(), 0640) == 0);
  REQUIRE(stat(file.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0640);
  compare(
      tree, [](auto *path) { return lchown(path, static_cast<uid_t>(-1), static_cast<gid_t>(-1)); },
      [](auto *path) {
        return libc<decltype(lchown)>("lchown")(path, static_cast<uid_t>(-1),
                                                static_cast<gid_t>(-1));
      });

  const utimbuf seconds = {1000, 2000};
  CHECK(utime(file.c_str(), &seconds) == 0);
  REQUIRE(stat(file.c_str(), &status) == 0);
  CHECK(status.st_atim.tv_sec == 1000);
  CHECK(status.st_mtim.tv_sec == 2000);
  const timeval microseconds[2] = {{3000, 5}, {4000, 6}};
  CHECK(utimes(file.c_str(), microseconds) == 0);
  REQUIRE(stat(file.c_str(), &status) == 0);
  CHECK(status.st_mtim.tv_nsec == 6000);
  CHECK(lutimes(link.c_str(), microseconds) == 0);
  REQUIRE(lstat(link.c_str(), &status) == 0);
  CHECK(status.st_mtim.tv_sec == 4000);
  const timeval bad[2] = {{0, 1000000}, {0, 0}};
  CHECK(outcome([&] { return utimes(file.c_str(), bad); }) == Outcome{-1, EINVAL});
  const int fd = open(file.c_str(), O_RDWR);
  const timespec nanoseconds[2] = {{0, UTIME_OMIT}, {5000, 7}};
  CHECK(futimens(fd, nanoseconds) == 0);
  REQUIRE(fstat(fd, &status) == 0);
  CHECK(status.st_atim.tv_sec == 3000);
  CHECK(status.st_mtim.tv_nsec == 7);
  CHECK(futimes(fd, microseconds) == 0);
  CHECK(fchmod(fd, 0604) == 0);
  REQUIRE(fstat(fd, &status) == 0);
  CHECK((status.st_mode & 07777) == 0604);
  close(fd);
  CHECK(outcome([&] { return futimens(-1, nullptr); }) == Outcome{-1, EBADF});
  CHECK(outcome([&] { return utimensat(AT_FDCWD, nullptr, nullptr, 0); }) == Outcome{-1, EINVAL});
  CHECK(truncate(file.c_str(), 12345) == 0);
  REQUIRE(stat(file.c_str(), &status) == 0);
  CHECK(status.st_size == 12345);
}

TEST_CASE("extended attributes give libc's results") {
  Tree tree;
  char value[64];
  compare(
      tree, [&](auto *path) { return getxattr(path, "user.plash", value, sizeof value); },
      [&](auto *path) {
        return libc<decltype(getxattr)>("getxattr")(path, "user.plash", value, sizeof value);
      });
  compare(
      tree, [&](auto *path) { return llistxattr(path, value, sizeof value); },
      [&](auto *path) {
        return libc<decltype(llistxattr)>("llistxattr")(path, value, sizeof value);
      });
  compare(
      tree, [&](auto *path) { return removexattr(path, "user.plash"); },
      [&](auto *path) { return libc<decltype(removexattr)>("removexattr")(path, "user.plash"); });
}
