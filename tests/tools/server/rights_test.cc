// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a read-only grant refuses, and that it leaves what it refuses untouched.
#include <sys/socket.h>

#include <cstring>

#include "tests/tools/server/fixture.h"

using namespace plash;
using namespace plash::testing;

namespace {

const auto nothing = [](auto &) {};
const auto itself = [](auto &request) { request.flags = AT_EMPTY_PATH; };

bool same(const struct stat &a, const struct stat &b) {
  return a.st_ino == b.st_ino && a.st_mode == b.st_mode && a.st_size == b.st_size &&
         a.st_nlink == b.st_nlink && a.st_uid == b.st_uid && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec && a.st_ctim.tv_sec == b.st_ctim.tv_sec &&
         a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

struct ReadOnly {
  ReadOnly() : running(scratch) {
    scratch.write("r/file", "text");
    scratch.make_directory("r/dir");
    scratch.link("r/link", "file");
    REQUIRE(::lstat(scratch.path("r/file").c_str(), &file) == 0);
    REQUIRE(::lstat(scratch.path("r").c_str(), &directory) == 0);
  }
  void check_untouched() const {
    struct stat now {};
    REQUIRE(::lstat(scratch.path("r/file").c_str(), &now) == 0);
    CHECK(same(now, file));
    REQUIRE(::lstat(scratch.path("r").c_str(), &now) == 0);
    CHECK(same(now, directory));
  }
  Scratch scratch;
  Running running;
  struct stat file {};
  struct stat directory {};
};

}  // namespace

TEST_CASE("every writing method is refused under a read-only grant") {
  ReadOnly world;
  world.scratch.write("w/file", "");
  const Client client = world.running.start();
  for (const int flags : {O_WRONLY, O_RDWR, O_RDONLY | O_TRUNC, O_WRONLY | O_CREAT}) {
    CHECK(client.open("/r/file", flags) == -EROFS);
    CHECK(client.open("/r/link", flags) == -EROFS);
  }
  CHECK(client.open("/r/new", O_RDONLY | O_CREAT) == -EROFS);
  CHECK(client.open("/r/file", O_RDONLY | O_CREAT | O_EXCL) == -EEXIST);
  CHECK(client.open("/r", O_TMPFILE | O_RDWR) == -EROFS);
  CHECK(client.simple<methods::Mkdir>("/r/new", nothing) == -EROFS);
  CHECK(client.simple<methods::Mkdir>("/r/dir", nothing) == -EEXIST);
  CHECK(client.simple<methods::Mknod>("/r/new", nothing) == -EROFS);
  CHECK(client.simple<methods::Unlink>("/r/file", nothing) == -EROFS);
  CHECK(client.simple<methods::Unlink>(
            "/r/dir", [](auto &request) { request.flags = AT_REMOVEDIR; }) == -EROFS);
  const auto to = [](const char *path) {
    return [path](auto &request) { request.new_path = Bytes{path, std::strlen(path)}; };
  };
  CHECK(client.simple<methods::Rename>("/r/file", to("/r/new")) == -EROFS);
  CHECK(client.simple<methods::Rename>("/r/file", to("/w/new")) == -EROFS);
  CHECK(client.simple<methods::Rename>("/w/file", to("/r/file")) == -EROFS);
  CHECK(client.simple<methods::Link>("/w/file", to("/r/new")) == -EROFS);
  CHECK(client.simple<methods::Symlink>("/r/new", [](auto &request) {
    request.target = Bytes{"x", 1};
  }) == -EROFS);
  CHECK(client.simple<methods::Chmod>("/r/file", nothing) == -EROFS);
  CHECK(client.simple<methods::Chmod>("/r/link", nothing) == -EROFS);
  CHECK(client.simple<methods::Chown>("/r/file", nothing) == -EROFS);
  CHECK(client.simple<methods::Utimens>("/r/file", nothing) == -EROFS);
  CHECK(client.simple<methods::Truncate>("/r/file", nothing) == -EROFS);
  const auto attribute = [](auto &request) { request.name = Bytes{"user.x", 6}; };
  CHECK(client.simple<methods::SetXattr>("/r/file", attribute) == -EROFS);
  CHECK(client.simple<methods::RemoveXattr>("/r/file", attribute) == -EROFS);
  world.check_untouched();
}

TEST_CASE("a descriptor open for reading gives no right to change the file's metadata") {
  ReadOnly world;
  const Client client = world.running.start();
  for (const int flags : {O_RDONLY, O_PATH}) {
    const UniqueFd file(static_cast<int>(client.open("/r/file", flags)));
    REQUIRE(file);
    CHECK(client.simple<methods::Chmod>("", itself, file.get()) == -EROFS);
    CHECK(client.simple<methods::Chown>("", itself, file.get()) == -EROFS);
    CHECK(client.simple<methods::Utimens>("", itself, file.get()) == -EROFS);
    CHECK(client.simple<methods::SetXattr>(
              "",
              [](auto &request) {
                request.flags = AT_EMPTY_PATH;
                request.name = Bytes{"user.x", 6};
              },
              file.get()) == -EROFS);
    CHECK(client.simple<methods::Link>(
              "",
              [](auto &request) {
                request.flags = AT_EMPTY_PATH;
                request.new_path = Bytes{"/w/stolen", 9};
              },
              file.get()) == -EXDEV);
  }
  world.check_untouched();
}

TEST_CASE("a descriptor of a file in a writable grant does, however it was opened") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("w/dir/file", "text");
  const Client client = running.start();
  unsigned mode = 0600;
  for (const int flags : {O_RDONLY, O_WRONLY, O_PATH}) {
    const UniqueFd file(static_cast<int>(client.open("/w/dir/file", flags)));
    REQUIRE(file);
    ++mode;
    CHECK(client.simple<methods::Chmod>(
              "",
              [&](auto &request) {
                request.flags = AT_EMPTY_PATH;
                request.mode = mode;
              },
              file.get()) == 0);
    struct stat status {};
    REQUIRE(::fstat(file.get(), &status) == 0);
    CHECK((status.st_mode & 0777) == mode);
  }
}

TEST_CASE("a file outside all grants is not changed by way of its descriptor") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("outside", "text");
  const Client client = running.start();
  const UniqueFd file(::open(scratch.path("outside").c_str(), O_RDONLY));
  REQUIRE(file);
  CHECK(client.simple<methods::Chmod>("", itself, file.get()) == -EROFS);
}

TEST_CASE("set-ID bits are refused on files") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("w/file", "");
  ::chmod(scratch.path("w/file").c_str(), 0755);
  const Client client = running.start();
  for (const unsigned mode : {04755u, 02755u, 06755u}) {
    CHECK(client.simple<methods::Chmod>("/w/file", [&](auto &request) { request.mode = mode; }) ==
          -EPERM);
  }
  struct stat status {};
  REQUIRE(::stat(scratch.path("w/file").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0755);
}

TEST_CASE("devices are granted to be written, not to be changed for everybody") {
  const Scratch scratch;
  Running running(scratch);
  running.name_space->grant("/null", "/dev/null", {.write = true});
  const Client client = running.start();
  struct stat status {};
  REQUIRE(::stat("/dev/null", &status) == 0);
  // To what they are: a failing test must not break the system that it runs on.
  const auto mode = [&](auto &request) { request.mode = status.st_mode & 07777; };
  CHECK(client.simple<methods::Chmod>("/null", mode) == -EPERM);
  const auto owner = [](auto &request) { request.uid = request.gid = ~std::uint64_t{0}; };
  CHECK(client.simple<methods::Chown>("/null", owner) == -EPERM);
  const UniqueFd file(static_cast<int>(client.open("/null", O_RDWR)));
  REQUIRE(file);
  const auto of_descriptor = [&](auto &request) {
    mode(request);
    request.flags = AT_EMPTY_PATH;
  };
  CHECK(client.simple<methods::Chmod>("", of_descriptor, file.get()) == -EPERM);
}

TEST_CASE("a symlink in a writable grant gives no right to what it leads to") {
  ReadOnly world;
  world.scratch.link("w/link", "/r/file");
  const Client client = world.running.start();
  CHECK(client.open("/w/link", O_WRONLY) == -EROFS);
  CHECK(client.open("/w/link", O_WRONLY | O_CREAT) == -EROFS);
  CHECK(client.simple<methods::Truncate>("/w/link", nothing) == -EROFS);
  CHECK(client.simple<methods::Chmod>("/w/link", nothing) == -EROFS);
  world.check_untouched();
}

TEST_CASE("bases that are no directory objects of this server are refused") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("w/file", "");
  const Client client = running.start();
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
  const UniqueFd forged(pair[0]);
  const UniqueFd other(pair[1]);
  REQUIRE(::setsockopt(forged.get(), SOL_SOCKET, SO_RCVLOWAT, &directory_object_tag,
                       sizeof directory_object_tag) == 0);
  CHECK(client.open("file", O_RDONLY, 0, forged.get()) == -EINVAL);
  CHECK(client.open("w/file", O_RDONLY, 0, client.fs_op()) == -ENOTDIR);
  const UniqueFd kernel_directory(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  CHECK(client.open("etc/passwd", O_RDONLY, 0, kernel_directory.get()) == -ENOTDIR);
  CHECK(client.simple<methods::Chdir>("", nothing, kernel_directory.get()) == -ENOTDIR);
  CHECK(client.simple<methods::Chdir>("", nothing, forged.get()) == -ENOTDIR);
  CHECK(client.simple<methods::Chmod>("", itself, forged.get()) == -EINVAL);
}
