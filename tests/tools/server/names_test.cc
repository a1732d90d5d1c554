// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Methods that create, remove and rename names.
#include <linux/fs.h>

#include "tests/tools/server/fixture.h"

using namespace plash;
using namespace plash::testing;

namespace {

long mkdir_path(const Client &client, const std::string &path, unsigned mode = 0777) {
  return client.simple<methods::Mkdir>(path, [&](auto &request) {
    request.mode = mode;
    request.umask = 022;
  });
}

long unlink_path(const Client &client, const std::string &path, std::uint64_t flags = 0) {
  return client.simple<methods::Unlink>(path, [&](auto &request) { request.flags = flags; });
}

long rename_path(const Client &client, const std::string &from, const std::string &to,
                 std::uint64_t flags = 0) {
  return client.simple<methods::Rename>(from, [&](auto &request) {
    request.new_path = bytes(to);
    request.flags = flags;
  });
}

unsigned mode_of(const std::string &path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status.st_mode;
}

}  // namespace

TEST_CASE("Mkdir makes directories with the caller's umask") {
  const Scratch scratch;
  Running running(scratch);
  const Client client = running.start();
  CHECK(mkdir_path(client, "/w/dir") == 0);
  CHECK((mode_of(scratch.path("w/dir")) & 07777) == 0755);
  CHECK(mkdir_path(client, "/w/dir") == -EEXIST);
  CHECK(mkdir_path(client, "/w/slash/") == 0);
  CHECK(mkdir_path(client, "/w/none/dir") == -ENOENT);
  CHECK(mkdir_path(client, "/") == -EEXIST);
  CHECK(mkdir_path(client, "/w/dir/..") == -EEXIST);
  CHECK(mkdir_path(client, "/new") == -EROFS);
  CHECK(mkdir_path(client, "") == -ENOENT);
}

TEST_CASE("Mknod makes files and FIFOs, but no devices") {
  const Scratch scratch;
  Running running(scratch);
  const Client client = running.start();
  const auto mknod = [&](const std::string &path, unsigned mode) {
    return client.simple<methods::Mknod>(path, [&](auto &request) { request.mode = mode; });
  };
  CHECK(mknod("/w/fifo", S_IFIFO | 0600) == 0);
  CHECK(S_ISFIFO(mode_of(scratch.path("w/fifo"))));
  CHECK(mknod("/w/file", S_IFREG | 04755) == 0);
  CHECK(mode_of(scratch.path("w/file")) == (S_IFREG | 0755u));
  CHECK(mknod("/w/file", S_IFREG | 0600) == -EEXIST);
  CHECK(mknod("/w/device", S_IFCHR | 0600) == -EPERM);
  CHECK_FALSE(scratch.exists("w/device"));
}

TEST_CASE("Unlink removes files, and directories where that is asked for") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("w/file", "");
  scratch.write("w/dir/file", "");
  scratch.make_directory("w/empty");
  scratch.link("w/link", "dir");
  const Client client = running.start();
  CHECK(unlink_path(client, "/w/dir") == -EISDIR);
  CHECK(unlink_path(client, "/w/file", AT_REMOVEDIR) == -ENOTDIR);
  CHECK(unlink_path(client, "/w/file") == 0);
  CHECK(unlink_path(client, "/w/file") == -ENOENT);
  CHECK(unlink_path(client, "/w/dir", AT_REMOVEDIR) == -ENOTEMPTY);
  CHECK(unlink_path(client, "/w/empty/.", AT_REMOVEDIR) == -EINVAL);
  CHECK(unlink_path(client, "/w/empty/..", AT_REMOVEDIR) == -ENOTEMPTY);
  CHECK(unlink_path(client, "/w/empty/", AT_REMOVEDIR) == 0);
  CHECK(unlink_path(client, "/w/link/file") == 0);
  CHECK(unlink_path(client, "/w/link") == 0);
  CHECK(scratch.exists("w/dir"));
  CHECK(unlink_path(client, "/w", AT_REMOVEDIR) == -EBUSY);
  CHECK(unlink_path(client, "/", AT_REMOVEDIR) == -EBUSY);
  CHECK(unlink_path(client, "/w/dir", 1) == -EINVAL);
}

TEST_CASE("Rename moves, replaces and exchanges, also between grants") {
  const Scratch scratch;
  Running running(scratch);
  scratch.make_directory("other");
  running.name_space->grant("/other", scratch.path("other"), {true, false, false, false});
  scratch.write("w/a", "a");
  scratch.write("w/b", "b");
  const Client client = running.start();
  CHECK(rename_path(client, "/w/a", "/w/b", RENAME_NOREPLACE) == -EEXIST);
  CHECK(rename_path(client, "/w/a", "/w/b", RENAME_EXCHANGE) == 0);
  CHECK(client.read("/w/a") == "b");
  CHECK(rename_path(client, "/w/a", "/w/b") == 0);
  CHECK(client.read("/w/b") == "b");
  CHECK(rename_path(client, "/w/b", "/other/c") == 0);
  CHECK(client.read("/other/c") == "b");
  CHECK(rename_path(client, "/w/none", "/w/x") == -ENOENT);
  CHECK(rename_path(client, "/other/c", "/r/c") == -EROFS);
  CHECK(rename_path(client, "/w", "/x") == -EBUSY);
  CHECK(rename_path(client, "/other/c", "/w/.") == -EBUSY);
  CHECK(rename_path(client, "/", "/w/x") == -EBUSY);
  CHECK(rename_path(client, "/other/c", "/") == -EBUSY);
  CHECK(rename_path(client, "/other/c", "/w/c", 1u << 20) == -EINVAL);
}

TEST_CASE("Link makes second names within what may be written") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("w/file", "text");
  scratch.write("r/file", "text");
  scratch.link("w/link", "file");
  const Client client = running.start();
  const auto link = [&](const std::string &from, const std::string &to, std::uint64_t flags = 0) {
    return client.simple<methods::Link>(from, [&](auto &request) {
      request.new_path = bytes(to);
      request.flags = flags;
    });
  };
  CHECK(link("/w/file", "/w/second") == 0);
  CHECK(client.read("/w/second") == "text");
  CHECK(link("/w/file", "/w/second") == -EEXIST);
  CHECK(link("/w/link", "/w/link2") == 0);
  CHECK(client.readlink("/w/link2") == "file");
  CHECK(link("/w/link", "/w/third", AT_SYMLINK_FOLLOW) == 0);
  CHECK(S_ISREG(mode_of(scratch.path("w/third"))));
  CHECK(link("/w/none", "/w/x") == -ENOENT);
  CHECK(link("/w", "/w/x") == -EPERM);
  CHECK(link("/r/file", "/w/x") == -EXDEV);
}

TEST_CASE("Symlink needs the right to make them") {
  const Scratch scratch;
  Running running(scratch);
  scratch.make_directory("plain");
  running.name_space->grant("/plain", scratch.path("plain"), {true, false, false, false});
  const Client client = running.start();
  const auto symlink = [&](const std::string &target, const std::string &path) {
    return client.simple<methods::Symlink>(path,
                                           [&](auto &request) { request.target = bytes(target); });
  };
  CHECK(symlink("any/thing", "/w/link") == 0);
  CHECK(client.readlink("/w/link") == "any/thing");
  CHECK(symlink("x", "/w/link") == -EEXIST);
  CHECK(symlink("", "/w/other") == -ENOENT);
  CHECK(symlink("x", "/plain/link") == -EPERM);
  CHECK(symlink("x", "/r/link") == -EROFS);
}

TEST_CASE("a file granted with the right to create may come, go and be replaced") {
  const Scratch scratch;
  Running running(scratch);
  scratch.make_directory("out");
  running.name_space->grant("/slot", scratch.path("out/file"), {true, true, false, false});
  scratch.write("w/new", "new");
  const Client client = running.start();
  CHECK(client.open("/slot") == -ENOENT);
  {
    const UniqueFd file(static_cast<int>(client.open("/slot", O_WRONLY | O_CREAT)));
    REQUIRE(file);
    CHECK(::write(file.get(), "one", 3) == 3);
  }
  CHECK(client.read("/slot") == "one");
  CHECK(rename_path(client, "/w/new", "/slot") == 0);
  CHECK(client.read("/slot") == "new");
  CHECK(unlink_path(client, "/slot") == 0);
  CHECK_FALSE(scratch.exists("out/file"));
  CHECK(mkdir_path(client, "/slot") == 0);
  CHECK(mkdir_path(client, "/slot/../neighbour") == -EROFS);
  CHECK(std::distance(std::filesystem::directory_iterator(scratch.path("out")), {}) == 1);
}
