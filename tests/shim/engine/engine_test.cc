// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The engine against a real server: each call beside the kernel's own on an
// equal tree.
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "shim/engine/syscall_numbers.h"
#include "tests/shim/engine/world.h"

using namespace plash;
using namespace plash::testing;

namespace {

// A directory in the writable half, for one test case.
std::string fresh(const char *name) {
  const std::string path = World::get().writable() + "/" + name;
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  return path;
}

void write_file(const std::string &path, const std::string &text) { std::ofstream(path) << text; }

}  // namespace

#define SAME(...) CHECK(emulated(__VA_ARGS__) == native(__VA_ARGS__))

TEST_CASE("open gives the kernel's numbers, errors and contents") {
  const std::string dir = fresh("open");
  const std::string file = dir + "/file";
  write_file(file, "text");
  REQUIRE(::symlink("file", (dir + "/link").c_str()) == 0);
  REQUIRE(::mkfifo((dir + "/fifo").c_str(), 0600) == 0);
  const auto same_open = [&](const std::string &path, int flags, int mode = 0644) {
    INFO(path << " " << flags);
    const long ours = emulated(SYS_open, path.c_str(), flags, mode);
    if (ours >= 0) ::close(static_cast<int>(ours));
    ::unlink((dir + "/none").c_str());
    const long kernels = native(SYS_open, path.c_str(), flags, mode);
    if (kernels >= 0) ::close(static_cast<int>(kernels));
    CHECK(ours == kernels);
  };
  for (const int flags :
       {O_RDONLY, O_RDWR, O_WRONLY | O_APPEND, O_RDONLY | O_CLOEXEC, O_RDONLY | O_NOFOLLOW, O_PATH,
        O_RDONLY | O_DIRECTORY, O_CREAT | O_EXCL | O_WRONLY, O_TMPFILE | O_RDWR,
        O_TMPFILE | O_RDONLY, O_RDONLY | O_CREAT, O_RDWR | O_DIRECTORY, O_PATH | O_NOFOLLOW,
        O_RDONLY | 0x10000000, O_RDWR | O_NONBLOCK}) {
    for (const std::string &path :
         {file, dir, dir + "/link", dir + "/none", dir + "/file/", dir + "/file/x", dir + "/none/x",
          std::string(""), std::string("."), std::string("open/../open/file"), dir + "/link/",
          dir + "/fifo", dir + "/" + std::string(256, 'x'), std::string(5000, 'y')}) {
      // A FIFO without O_NONBLOCK waits; natively O_RDWR does not.
      if (path == dir + "/fifo" && (flags & (O_NONBLOCK | O_PATH | O_DIRECTORY)) == 0 &&
          (flags & O_ACCMODE) != O_RDWR)
        continue;
      same_open(path, flags);
      ::unlink((dir + "/none").c_str());
    }
  }
  SAME(SYS_open, nullptr, O_RDONLY);
  SAME(SYS_openat, 77, "x", O_RDONLY);
  SAME(SYS_openat, 77, "", O_RDONLY);
  const UniqueFd plain(::open(file.c_str(), O_RDONLY));
  SAME(SYS_openat, plain.get(), "x", O_RDONLY);
}

TEST_CASE("openat2 checks its structure as the kernel does") {
  const std::string file = fresh("openat2") + "/file";
  write_file(file, "text");
  const auto same = [&](open_how how, std::size_t size) {
    char buffer[64] = {};
    std::memcpy(buffer, &how, sizeof how);
    const long ours = emulated(SYS_openat2, AT_FDCWD, file.c_str(), buffer, size);
    if (ours >= 0) ::close(static_cast<int>(ours));
    const long kernels = native(SYS_openat2, AT_FDCWD, file.c_str(), buffer, size);
    if (kernels >= 0) ::close(static_cast<int>(kernels));
    CHECK(ours == kernels);
  };
  same({O_RDONLY, 0, 0}, sizeof(open_how));
  same({O_RDONLY, 0, 0}, 8);
  same({O_RDONLY, 0, 0}, 64);
  same({O_RDONLY, 0644, 0}, sizeof(open_how));
  same({O_CREAT, 0644, 0}, sizeof(open_how));
  same({O_CREAT, 0100000, 0}, sizeof(open_how));
  same({1ull << 40, 0, 0}, sizeof(open_how));
  same({O_PATH | O_RDWR, 0, 0}, sizeof(open_how));
  same({O_RDONLY, 0, 0x1000}, sizeof(open_how));
  same({O_RDONLY, 0, RESOLVE_BENEATH}, sizeof(open_how));
  same({O_RDONLY, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT}, sizeof(open_how));
  same({O_RDONLY, 0, RESOLVE_NO_SYMLINKS}, sizeof(open_how));
}

TEST_CASE("stat and statx give the kernel's structure") {
  const std::string dir = fresh("stat");
  write_file(dir + "/file", "12345");
  REQUIRE(::symlink("file", (dir + "/link").c_str()) == 0);
  for (const std::string &path :
       {dir, dir + "/file", dir + "/link", std::string("stat/file"), std::string(".")}) {
    for (const int flags : {0, AT_SYMLINK_NOFOLLOW}) {
      INFO(path << " " << flags);
      struct stat ours;
      struct stat kernels;
      std::memset(&ours, 1, sizeof ours);
      std::memset(&kernels, 2, sizeof kernels);
      REQUIRE(emulated(SYS_newfstatat, AT_FDCWD, path.c_str(), &ours, flags) == 0);
      REQUIRE(native(SYS_newfstatat, AT_FDCWD, path.c_str(), &kernels, flags) == 0);
      CHECK(std::memcmp(&ours, &kernels, sizeof ours) == 0);
      struct statx ours_x;
      struct statx kernels_x;
      REQUIRE(emulated(SYS_statx, AT_FDCWD, path.c_str(), flags, STATX_BASIC_STATS | STATX_BTIME,
                       &ours_x) == 0);
      REQUIRE(native(SYS_statx, AT_FDCWD, path.c_str(), flags, STATX_BASIC_STATS | STATX_BTIME,
                     &kernels_x) == 0);
      CHECK(ours_x.stx_mtime.tv_nsec == kernels_x.stx_mtime.tv_nsec);
      CHECK(ours_x.stx_btime.tv_sec == kernels_x.stx_btime.tv_sec);
      CHECK(ours_x.stx_ino == kernels_x.stx_ino);
      CHECK(ours_x.stx_mask == kernels_x.stx_mask);
    }
  }
  struct stat status;
  SAME(SYS_newfstatat, AT_FDCWD, "none", &status, 0);
  SAME(SYS_newfstatat, AT_FDCWD, "", &status, 0);
  SAME(SYS_newfstatat, AT_FDCWD, "", &status, AT_EMPTY_PATH);
  SAME(SYS_newfstatat, AT_FDCWD, "stat", &status, 0x8000000);
  SAME(SYS_newfstatat, 99, "stat", &status, 0);
  SAME(SYS_stat, (dir + "/file/").c_str(), &status);
}

TEST_CASE("a directory's descriptor behaves as the kernel's own") {
  const std::string dir = fresh("dirfd");
  for (const char *name : {"a", "b", "c"}) write_file(dir + "/" + name, name);
  const auto fd = static_cast<int>(emulated(SYS_open, dir.c_str(), O_RDONLY | O_DIRECTORY));
  REQUIRE(fd >= 0);
  const UniqueFd ours(fd);
  const UniqueFd kernels(::open(dir.c_str(), O_RDONLY | O_DIRECTORY));
  struct stat status;
  REQUIRE(emulated(SYS_fstat, ours.get(), &status) == 0);
  CHECK(S_ISDIR(status.st_mode));
  char buffer[4096];
  CHECK(emulated(SYS_read, ours.get(), buffer, 10) == -EISDIR);
  CHECK(emulated(SYS_pread64, ours.get(), buffer, 10, 0) == -EISDIR);
  CHECK(emulated(SYS_fcntl, ours.get(), F_GETFL) == native(SYS_fcntl, kernels.get(), F_GETFL));
  const auto list = [&](int descriptor, auto call) {
    std::set<std::string> names;
    long size;
    while ((size = call(SYS_getdents64, descriptor, buffer, 64)) > 0) {
      for (long at = 0; at < size;) {
        const auto *entry = reinterpret_cast<const dirent64 *>(buffer + at);
        names.insert(entry->d_name);
        at += entry->d_reclen;
      }
    }
    CHECK(size == 0);
    return names;
  };
  const auto ours_call = [](auto... a) { return emulated(a...); };
  const auto kernel_call = [](auto... a) { return native(a...); };
  CHECK(list(ours.get(), ours_call) == list(kernels.get(), kernel_call));
  CHECK(list(ours.get(), ours_call).empty());
  CHECK(emulated(SYS_lseek, ours.get(), 0, SEEK_SET) == 0);
  CHECK(list(ours.get(), ours_call).size() == 5);
  CHECK(emulated(SYS_lseek, ours.get(), 0, SEEK_SET) == 0);
  CHECK(emulated(SYS_getdents64, ours.get(), buffer, 1) == -EINVAL);
  // All at once: the end is known then, to all who hold the descriptor, until one of them moves.
  const UniqueFd second(::dup(ours.get()));
  const auto list_all = [&](int descriptor) {
    return emulated(SYS_getdents64, descriptor, buffer, sizeof buffer);
  };
  const long size = list_all(ours.get());
  CHECK(size > 0);
  CHECK(list_all(ours.get()) == 0);
  CHECK(list_all(second.get()) == 0);
  CHECK(emulated(SYS_lseek, second.get(), 0, SEEK_SET) == 0);
  CHECK(list_all(ours.get()) == size);
  CHECK(list_all(second.get()) == 0);
  CHECK(emulated(SYS_lseek, ours.get(), 0, SEEK_SET) == 0);
  CHECK(list_all(second.get()) == size);
  CHECK(emulated(SYS_fcntl, ours.get(), F_GETFL) == native(SYS_fcntl, kernels.get(), F_GETFL));
  CHECK(emulated(SYS_flock, ours.get(), LOCK_EX) == 0);
  CHECK(native(SYS_flock, kernels.get(), LOCK_EX | LOCK_NB) == -EWOULDBLOCK);
  CHECK(emulated(SYS_fsync, ours.get()) == 0);
  const UniqueFd copy(::dup(ours.get()));
  const UniqueFd file(static_cast<int>(emulated(SYS_openat, copy.get(), "a", O_RDONLY)));
  CHECK(contents(file.get()) == "a");
  CHECK(emulated(SYS_openat, copy.get(), "none", O_RDONLY) == -ENOENT);
  CHECK(emulated(SYS_fchmod, copy.get(), 0711) == 0);
  REQUIRE(::stat(dir.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0711);
}

TEST_CASE("the working directory follows chdir and fchdir, across fork") {
  const std::string dir = fresh("cwd");
  std::filesystem::create_directories(dir + "/sub");
  char buffer[4096];
  REQUIRE(emulated(SYS_chdir, (dir + "/sub").c_str()) == 0);
  CHECK(emulated(SYS_getcwd, buffer, sizeof buffer) == static_cast<long>(dir.size() + 5));
  CHECK(std::string(buffer) == dir + "/sub");
  CHECK(emulated(SYS_getcwd, buffer, 5) == -ERANGE);
  CHECK(emulated(SYS_chdir, "..") == 0);
  emulated(SYS_getcwd, buffer, sizeof buffer);
  CHECK(std::string(buffer) == dir);
  const pid_t child = ::fork();
  if (child == 0)
    ::_exit(emulated(SYS_chdir, "sub") == 0 && emulated(SYS_access, "../sub", F_OK) == 0 ? 0 : 1);
  int status;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  emulated(SYS_getcwd, buffer, sizeof buffer);
  CHECK(std::string(buffer) == dir);
  const UniqueFd top(
      static_cast<int>(emulated(SYS_open, World::get().writable().c_str(), O_PATH | O_DIRECTORY)));
  CHECK(emulated(SYS_fchdir, top.get()) == 0);
  emulated(SYS_getcwd, buffer, sizeof buffer);
  CHECK(std::string(buffer) == World::get().writable());
  CHECK(emulated(SYS_chdir, "none") == -ENOENT);
  CHECK(emulated(SYS_fchdir, 0) == -ENOTDIR);
  CHECK(emulated(SYS_fchdir, 99) == -EBADF);
}

TEST_CASE("names are created, renamed and removed with the kernel's errors") {
  const std::string dir = fresh("names");
  const std::string mine = dir + "/mine";
  const std::string theirs = dir + "/theirs";
  const auto both = [&](long number, auto make) {
    const long ours = std::apply([&](auto... a) { return emulated(number, a...); }, make(mine));
    const long kernels = std::apply([&](auto... a) { return native(number, a...); }, make(theirs));
    CHECK(ours == kernels);
  };
  std::vector<std::string> keep;
  keep.reserve(64);
  const auto in = [&](const std::string &root, const char *name) {
    keep.push_back(root + "/" + name);
    return keep.back().c_str();
  };
  both(SYS_mkdir, [&](const std::string &root) { return std::tuple(in(root, ""), 0777); });
  both(SYS_mkdir, [&](const std::string &root) { return std::tuple(in(root, "d"), 0777); });
  both(SYS_mkdir, [&](const std::string &root) { return std::tuple(in(root, "d"), 0777); });
  both(SYS_mkdir, [&](const std::string &root) { return std::tuple(in(root, "d/"), 0777); });
  both(SYS_mkdir, [&](const std::string &root) { return std::tuple(in(root, "none/d"), 0777); });
  both(SYS_mknod,
       [&](const std::string &root) { return std::tuple(in(root, "f"), S_IFREG | 0666, 0); });
  both(SYS_mknod,
       [&](const std::string &root) { return std::tuple(in(root, "p"), S_IFIFO | 0666, 0); });
  both(SYS_symlink, [&](const std::string &root) { return std::tuple("f", in(root, "s")); });
  both(SYS_symlink, [&](const std::string &root) { return std::tuple("f", in(root, "s")); });
  both(SYS_link, [&](const std::string &root) { return std::tuple(in(root, "f"), in(root, "h")); });
  both(SYS_link,
       [&](const std::string &root) { return std::tuple(in(root, "d"), in(root, "dh")); });
  both(SYS_link,
       [&](const std::string &root) { return std::tuple(in(root, "none"), in(root, "dh")); });
  both(SYS_rename,
       [&](const std::string &root) { return std::tuple(in(root, "h"), in(root, "d/h")); });
  both(SYS_rename,
       [&](const std::string &root) { return std::tuple(in(root, "d"), in(root, "d/sub")); });
  both(SYS_rename,
       [&](const std::string &root) { return std::tuple(in(root, "f"), in(root, "d")); });
  both(SYS_rmdir, [&](const std::string &root) { return std::tuple(in(root, "d")); });
  both(SYS_rmdir, [&](const std::string &root) { return std::tuple(in(root, "d/.")); });
  both(SYS_rmdir, [&](const std::string &root) { return std::tuple(in(root, "d/..")); });
  both(SYS_rmdir, [&](const std::string &root) { return std::tuple(in(root, "f")); });
  both(SYS_unlink, [&](const std::string &root) { return std::tuple(in(root, "d")); });
  both(SYS_unlink, [&](const std::string &root) { return std::tuple(in(root, "f/")); });
  both(SYS_unlink, [&](const std::string &root) { return std::tuple(in(root, "s")); });
  both(SYS_unlink, [&](const std::string &root) { return std::tuple(in(root, "s")); });
  both(SYS_chmod, [&](const std::string &root) { return std::tuple(in(root, "f"), 0751); });
  both(SYS_truncate, [&](const std::string &root) { return std::tuple(in(root, "f"), 100L); });
  both(SYS_truncate, [&](const std::string &root) { return std::tuple(in(root, "d"), 100L); });
  both(SYS_lchown, [&](const std::string &root) { return std::tuple(in(root, "f"), -1, -1); });
  for (const char *name : {"", "/d", "/f", "/p", "/d/h"}) {
    struct stat a;
    struct stat b;
    INFO(name);
    REQUIRE(::lstat((mine + name).c_str(), &a) == 0);
    REQUIRE(::lstat((theirs + name).c_str(), &b) == 0);
    CHECK(a.st_mode == b.st_mode);
    CHECK(a.st_size == b.st_size);
    CHECK(a.st_nlink == b.st_nlink);
  }
}

TEST_CASE("a read-only grant refuses every change and keeps its files as they are") {
  const std::string dir = World::get().read_only();
  write_file(dir + "/file", "text");
  const std::string file = dir + "/file";
  CHECK(emulated(SYS_open, file.c_str(), O_WRONLY) == -EROFS);
  CHECK(emulated(SYS_open, file.c_str(), O_RDONLY | O_TRUNC) == -EROFS);
  CHECK(emulated(SYS_open, (dir + "/new").c_str(), O_WRONLY | O_CREAT, 0644) == -EROFS);
  CHECK(emulated(SYS_chmod, file.c_str(), 0777) == -EROFS);
  CHECK(emulated(SYS_chown, file.c_str(), 0, 0) == -EROFS);
  CHECK(emulated(SYS_utimensat, AT_FDCWD, file.c_str(), nullptr, 0) == -EROFS);
  CHECK(emulated(SYS_truncate, file.c_str(), 0) == -EROFS);
  CHECK(emulated(SYS_unlink, file.c_str()) == -EROFS);
  CHECK(emulated(SYS_mkdir, (dir + "/d").c_str(), 0777) == -EROFS);
  CHECK(emulated(SYS_rename, file.c_str(), (dir + "/x").c_str()) == -EROFS);
  CHECK(emulated(SYS_symlink, "x", (dir + "/x").c_str()) == -EROFS);
  CHECK(emulated(SYS_setxattr, file.c_str(), "user.x", "v", 1, 0) == -EROFS);
  CHECK(emulated(SYS_access, file.c_str(), W_OK) == -EROFS);
  CHECK(emulated(SYS_access, file.c_str(), R_OK) == 0);
  CHECK(emulated(SYS_link, file.c_str(), (World::get().writable() + "/stolen").c_str()) == -EXDEV);
  const UniqueFd fd(static_cast<int>(emulated(SYS_open, file.c_str(), O_RDONLY)));
  CHECK(contents(fd.get()) == "text");
  struct stat status;
  REQUIRE(::stat(file.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0644);
}

TEST_CASE("extended attributes") {
  const std::string file = fresh("xattr") + "/file";
  write_file(file, "");
  if (::setxattr(file.c_str(), "user.probe", "x", 1, 0) != 0) {
    WARN("the file system of the scratch directory has no user attributes: not tested");
    return;
  }
  char value[16];
  CHECK(emulated(SYS_setxattr, file.c_str(), "user.a", "value", 5, 0) == 0);
  CHECK(emulated(SYS_getxattr, file.c_str(), "user.a", value, sizeof value) == 5);
  CHECK(std::string(value, 5) == "value");
  CHECK(emulated(SYS_getxattr, file.c_str(), "user.a", nullptr, 0) == 5);
  CHECK(emulated(SYS_getxattr, file.c_str(), "user.a", value, 2) == -ERANGE);
  CHECK(emulated(SYS_getxattr, file.c_str(), "user.none", value, 2) == -ENODATA);
  CHECK(emulated(SYS_listxattr, file.c_str(), nullptr, 0) ==
        native(SYS_listxattr, file.c_str(), nullptr, 0));
  CHECK(emulated(SYS_removexattr, file.c_str(), "user.a") == 0);
  CHECK(emulated(SYS_setxattr, file.c_str(), "security.capability", "x", 1, 0) == -EPERM);
}

TEST_CASE("Unix-domain sockets by path keep the names that were given") {
  const std::string dir = fresh("sockets");
  const std::string name = dir + "/" + std::string(60, 's');
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.c_str(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + 1);
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM, 0));
  REQUIRE(emulated(SYS_bind, listener.get(), &address, size) == 0);
  CHECK(emulated(SYS_bind, UniqueFd(::socket(AF_UNIX, SOCK_STREAM, 0)).get(), &address, size) ==
        -EADDRINUSE);
  REQUIRE(::listen(listener.get(), 4) == 0);
  const UniqueFd client(::socket(AF_UNIX, SOCK_STREAM, 0));
  REQUIRE(emulated(SYS_connect, client.get(), &address, size) == 0);
  sockaddr_un reported{};
  socklen_t reported_size = sizeof reported;
  REQUIRE(emulated(SYS_getsockname, listener.get(), &reported, &reported_size) == 0);
  CHECK(std::string(reported.sun_path) == name);
  CHECK(reported_size == size);
  reported_size = sizeof reported;
  REQUIRE(emulated(SYS_getpeername, client.get(), &reported, &reported_size) == 0);
  CHECK(std::string(reported.sun_path) == name);
  const UniqueFd datagram(::socket(AF_UNIX, SOCK_DGRAM, 0));
  sockaddr_un other = address;
  other.sun_path[name.size() - 1] = 'd';
  REQUIRE(emulated(SYS_bind, datagram.get(), &other, size) == 0);
  const UniqueFd sender(::socket(AF_UNIX, SOCK_DGRAM, 0));
  CHECK(emulated(SYS_sendto, sender.get(), "hello", 5, 0, &other, size) == 5);
  char buffer[16];
  CHECK(::recv(datagram.get(), buffer, sizeof buffer, 0) == 5);
  CHECK(std::filesystem::exists(name));
}

TEST_CASE("inotify watches are the caller's own") {
  const std::string dir = fresh("inotify");
  const UniqueFd inotify(::inotify_init1(IN_NONBLOCK));
  CHECK(emulated(SYS_inotify_add_watch, inotify.get(), dir.c_str(), IN_CREATE) == 1);
  write_file(dir + "/new", "");
  char buffer[512];
  CHECK(::read(inotify.get(), buffer, sizeof buffer) > 0);
  CHECK(emulated(SYS_inotify_add_watch, 0, dir.c_str(), IN_CREATE) == -EINVAL);
  CHECK(emulated(SYS_inotify_add_watch, 99, dir.c_str(), IN_CREATE) == -EBADF);
}

TEST_CASE("the service descriptors look closed") {
  World::get();
  CHECK(emulated(SYS_close, 800) == -EBADF);
  CHECK(emulated(SYS_dup2, 0, 801) == -EBADF);
  CHECK(emulated(SYS_dup3, 0, 800, 0) == -EBADF);
  CHECK(emulated(SYS_dup, 800) == -EBADF);
  CHECK(emulated(SYS_fcntl, 800, F_GETFD) == -EBADF);
  CHECK(emulated(SYS_close_range, 750, 900, 0) == 0);
  CHECK(emulated(SYS_close_range, 801, 800, 0) == -EINVAL);
  CHECK(emulated(SYS_access, ".", F_OK) == 0);
}

TEST_CASE("opening a FIFO waits for its peer, and gives EINTR when a handler runs") {
  const std::string fifo = fresh("fifo") + "/fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const int before = open_descriptors();
  {
    UniqueFd writer;
    std::thread other([&] {
      ::usleep(50'000);
      writer.reset(::open(fifo.c_str(), O_WRONLY | O_CLOEXEC));
    });
    const UniqueFd reader(static_cast<int>(emulated(SYS_open, fifo.c_str(), O_RDONLY)));
    other.join();
    CHECK(reader.get() >= 0);
    const UniqueFd second(static_cast<int>(emulated(SYS_open, fifo.c_str(), O_WRONLY)));
    CHECK(second.get() >= 0);
  }
  struct sigaction action {};
  action.sa_handler = [](int) {};
  ::sigaction(SIGALRM, &action, nullptr);
  // Again and again: a signal that comes before the call has begun to wait interrupts nothing.
  ::ualarm(100'000, 100'000);
  CHECK(emulated(SYS_open, fifo.c_str(), O_WRONLY) == -EINTR);
  CHECK(emulated(SYS_open, fifo.c_str(), O_RDONLY) == -EINTR);
  ::ualarm(0, 0);
  CHECK(emulated(SYS_open, fifo.c_str(), O_WRONLY | O_NONBLOCK) == -ENXIO);
  CHECK(open_descriptors() == before);
}

TEST_CASE("failed and successful calls leak no descriptor") {
  const std::string dir = fresh("leak");
  write_file(dir + "/file", "x");
  const int before = open_descriptors();
  for (int i = 0; i < 2000; ++i) {
    const long fd = emulated(SYS_open, (dir + "/file").c_str(), O_RDONLY);
    REQUIRE(fd >= 0);
    ::close(static_cast<int>(fd));
    const long directory = emulated(SYS_open, dir.c_str(), O_RDONLY);
    REQUIRE(directory >= 0);
    ::close(static_cast<int>(directory));
    emulated(SYS_open, (dir + "/none").c_str(), O_RDONLY);
    emulated(SYS_openat, 99, "x", O_RDONLY);
    emulated(SYS_mkdir, dir.c_str(), 0777);
    struct stat status;
    emulated(SYS_stat, dir.c_str(), &status);
  }
  for (int i = 0; i < 100 && open_descriptors() != before; ++i) ::usleep(10'000);
  CHECK(open_descriptors() == before);
}
