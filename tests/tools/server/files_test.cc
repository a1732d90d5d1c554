// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Methods that open files, or look at them and change what is known about them: each with what it
// does and how it fails.
#include <linux/magic.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

#include "tests/tools/server/fixture.h"

using namespace plash;
using namespace plash::testing;

namespace {

UniqueFd open_file(const Client &client, const std::string &path, int flags, unsigned mode = 0666) {
  const long fd = client.open(path, flags, mode);
  REQUIRE(fd >= 0);
  return UniqueFd(static_cast<int>(fd));
}

struct stat host_status(const std::string &path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status;
}

}  // namespace

TEST_CASE("Open gives the kernel's own descriptor, with the flags that were asked for") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("w/file", "text");
  const Client client = running.start();
  const UniqueFd reader = open_file(client, "/w/file", O_RDONLY);
  CHECK(contents(reader.get()) == "text");
  CHECK((::fcntl(reader.get(), F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == O_RDONLY);
  CHECK(::fcntl(reader.get(), F_GETFD) == FD_CLOEXEC);
  const UniqueFd writer = open_file(client, "/w/file", O_WRONLY | O_APPEND | O_NONBLOCK | O_TRUNC);
  CHECK((::fcntl(writer.get(), F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK)) ==
        (O_WRONLY | O_APPEND | O_NONBLOCK));
  CHECK(::write(writer.get(), "new", 3) == 3);
  CHECK(client.read("/w/file") == "new");
  CHECK(client.open("/w/none") == -ENOENT);
  CHECK(client.open("/w/file", O_RDONLY | O_DIRECTORY) == -ENOTDIR);
  CHECK(client.open("/w", O_WRONLY) == -EISDIR);
}

TEST_CASE("Open creates, with the caller's umask and without set-ID bits") {
  const Scratch scratch;
  Running running(scratch);
  const Client client = running.start();
  open_file(client, "/w/new", O_WRONLY | O_CREAT | O_EXCL, 06777);
  CHECK((host_status(scratch.path("w/new")).st_mode & 07777) == 0755);
  CHECK(client.open("/w/new", O_WRONLY | O_CREAT | O_EXCL) == -EEXIST);
  open_file(client, "/w/new", O_WRONLY | O_CREAT);
  CHECK(client.open("/w/none/new", O_WRONLY | O_CREAT) == -ENOENT);
  CHECK(client.open("/w/new/", O_WRONLY | O_CREAT) == -EISDIR);
  CHECK(client.open("/w", O_RDONLY | O_CREAT) == -EISDIR);
}

TEST_CASE("a dangling symlink creates its target in the namespace, and only there") {
  const Scratch scratch;
  Running running(scratch);
  scratch.link("w/inside", "/w/target");
  scratch.link("w/outside", scratch.path("w/elsewhere"));
  const Client client = running.start();
  CHECK(client.open("/w/inside", O_WRONLY | O_CREAT | O_EXCL) == -EEXIST);
  CHECK_FALSE(scratch.exists("w/target"));
  open_file(client, "/w/inside", O_WRONLY | O_CREAT);
  CHECK(scratch.exists("w/target"));
  CHECK(client.open("/w/outside", O_WRONLY | O_CREAT) == -ENOENT);
  CHECK_FALSE(scratch.exists("w/elsewhere"));
}

TEST_CASE("a temporary file without a name can be given one") {
  const Scratch scratch;
  Running running(scratch);
  const Client client = running.start();
  const UniqueFd file = open_file(client, "/w", O_TMPFILE | O_RDWR, 0600);
  REQUIRE(::write(file.get(), "text", 4) == 4);
  methods::Link::Request request;
  request.base = file.get();
  request.new_path = bytes("/w/named");
  request.flags = AT_EMPTY_PATH;
  methods::Link::Reply reply;
  CHECK(invoke<methods::Link>(client.fs_op(), request, reply) == 0);
  CHECK(client.read("/w/named") == "text");
  CHECK(client.open("/w/named", O_TMPFILE | O_RDWR) == -ENOTDIR);
}

TEST_CASE("nobody but the caller holds a file that was opened for writing, or that it sent") {
  const Scratch scratch;
  Running running(scratch);
  const Client client = running.start();
  scratch.write("w/file", "text");
  // A lease for reading is refused as long as anybody has the file open for writing.
  const UniqueFd reader(::open(scratch.path("w/file").c_str(), O_RDONLY | O_CLOEXEC));
  const auto is_free = [&] {
    if (::fcntl(reader.get(), F_SETLEASE, F_RDLCK) != 0) return false;
    return ::fcntl(reader.get(), F_SETLEASE, F_UNLCK) == 0;
  };
  REQUIRE(is_free());
  int held = 0;
  for (int i = 0; i < 2000; ++i) {
    UniqueFd writer = open_file(client, "/w/file", O_RDWR);
    held += is_free();
    writer.reset();
    held += !is_free();
    writer.reset(::open(scratch.path("w/file").c_str(), O_WRONLY | O_CLOEXEC));
    const auto by_descriptor = [](methods::Chmod::Request &request) {
      request.mode = 0644;
      request.flags = AT_EMPTY_PATH;
    };
    REQUIRE(client.simple<methods::Chmod>("", by_descriptor, writer.get()) == 0);
    writer.reset();
    held += !is_free();
  }
  CHECK(held == 0);
}

TEST_CASE("directories come as objects, whatever they are opened with") {
  const Scratch scratch;
  Running running(scratch);
  scratch.make_directory("w/dir");
  const Client client = running.start();
  for (const int flags : {O_RDONLY, O_RDONLY | O_DIRECTORY, O_PATH, O_PATH | O_DIRECTORY,
                          O_RDONLY | O_NONBLOCK, O_RDONLY | O_NOATIME}) {
    for (const char *path : {"/", "/w", "/w/", "/w/.", "/w/dir", "/w/dir/..", "/.."}) {
      const UniqueFd fd = open_file(client, path, flags);
      CHECK(S_ISSOCK([&] {
        struct stat status {};
        ::fstat(fd.get(), &status);
        return status.st_mode;
      }()));
      int tag = 0;
      socklen_t size = sizeof tag;
      CHECK(::getsockopt(fd.get(), SOL_SOCKET, SO_RCVLOWAT, &tag, &size) == 0);
      CHECK(is_directory_tag(tag));
      char byte;
      CHECK(::read(fd.get(), &byte, 1) == 0);
    }
  }
}

TEST_CASE("Stat says what the kernel says") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("w/file", "12345");
  scratch.link("w/link", "file");
  const Client client = running.start();
  methods::Stat::Reply reply;
  REQUIRE(client.stat("/w/file", reply) == 0);
  const struct stat status = host_status(scratch.path("w/file"));
  CHECK(reply.size == 5);
  CHECK(reply.ino == status.st_ino);
  CHECK(reply.mode == status.st_mode);
  CHECK(reply.nlink == status.st_nlink);
  CHECK(reply.mtime_sec == status.st_mtim.tv_sec);
  CHECK(reply.mtime_nsec == static_cast<std::uint64_t>(status.st_mtim.tv_nsec));
  REQUIRE(client.stat("/w/link", reply, AT_SYMLINK_NOFOLLOW) == 0);
  CHECK(S_ISLNK(reply.mode));
  REQUIRE(client.stat("/w/link", reply) == 0);
  CHECK(S_ISREG(reply.mode));
  const UniqueFd file = open_file(client, "/w/file", O_RDONLY);
  REQUIRE(client.stat("", reply, AT_EMPTY_PATH, file.get()) == 0);
  CHECK(reply.ino == status.st_ino);
  CHECK(client.stat("/w/none", reply) == -ENOENT);
  CHECK(client.stat("", reply) == -ENOENT);
  CHECK(client.stat("x", reply, 0, file.get()) == -ENOTDIR);
}

TEST_CASE("fabricated directories have a device and numbers of their own") {
  const Scratch scratch;
  Running running(scratch);
  running.name_space->make_directory("/a/b");
  const Client client = running.start();
  methods::Stat::Reply a;
  methods::Stat::Reply b;
  methods::Stat::Reply again;
  methods::Stat::Reply real;
  REQUIRE(client.stat("/a", a) == 0);
  REQUIRE(client.stat("/a/b", b) == 0);
  REQUIRE(client.stat("/a/b/../b", again) == 0);
  REQUIRE(client.stat("/w", real) == 0);
  CHECK(a.mode == (S_IFDIR | 0555u));
  CHECK(a.ino != b.ino);
  CHECK(b.ino == again.ino);
  CHECK((a.dev_major != real.dev_major || a.dev_minor != real.dev_minor));
}

TEST_CASE("Access asks the kernel and the grant") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("w/file", "");
  ::chmod(scratch.path("w/file").c_str(), 0644);
  scratch.write("r/file", "");
  const Client client = running.start();
  const auto access = [&](const std::string &path, unsigned mode) {
    return client.simple<methods::Access>(path, [&](auto &request) { request.mode = mode; });
  };
  CHECK(access("/w/file", R_OK | W_OK) == 0);
  CHECK(access("/w/file", X_OK) == -EACCES);
  CHECK(access("/r/file", R_OK) == 0);
  CHECK(access("/r/file", W_OK) == -EROFS);
  CHECK(access("/", R_OK | X_OK) == 0);
  CHECK(access("/", W_OK) == -EROFS);
  CHECK(access("/w/none", F_OK) == -ENOENT);
  CHECK(access("/w/file", 8) == -EINVAL);
}

TEST_CASE("Readlink gives the target, cut to the size asked for") {
  const Scratch scratch;
  Running running(scratch);
  scratch.link("w/link", "target");
  running.name_space->make_symlink("/made", "w/link");
  const Client client = running.start();
  CHECK(client.readlink("/w/link") == "target");
  CHECK(client.readlink("/made") == "w/link");
  CHECK(client.readlink("/w") == "errno " + std::to_string(EINVAL));
  methods::Readlink::Request request;
  request.path = bytes("/w/link");
  request.size = 3;
  methods::Readlink::Reply reply;
  char buffer[16];
  REQUIRE(invoke<methods::Readlink>(client.fs_op(), request, reply, {buffer, sizeof buffer}) == 0);
  CHECK(std::string(reply.target.data, reply.target.size) == "tar");
}

TEST_CASE("Chmod, Chown, Utimens and Truncate change what is there") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("w/file", "12345");
  scratch.make_directory("w/dir");
  const Client client = running.start();
  const auto chmod = [&](const std::string &path, unsigned mode, int base = -1) {
    return client.simple<methods::Chmod>(
        path,
        [&](auto &request) {
          request.mode = mode;
          if (path.empty()) request.flags = AT_EMPTY_PATH;
        },
        base);
  };
  CHECK(chmod("/w/file", 0600) == 0);
  CHECK((host_status(scratch.path("w/file")).st_mode & 07777) == 0600);
  const UniqueFd directory = client.open_directory("/w/dir");
  CHECK(chmod("", 0700, directory.get()) == 0);
  CHECK((host_status(scratch.path("w/dir")).st_mode & 07777) == 0700);
  CHECK(chmod("/w/none", 0600) == -ENOENT);

  const auto chown = [&](const std::string &path) {
    return client.simple<methods::Chown>(path,
                                         [](auto &request) { request.uid = request.gid = -1; });
  };
  CHECK(chown("/w/file") == 0);
  CHECK(chown("/w/none") == -ENOENT);

  const auto touch = [&](const std::string &path) {
    return client.simple<methods::Utimens>(path, [](auto &request) {
      request.atime_nsec = UTIME_OMIT;
      request.mtime_sec = -5;
      request.mtime_nsec = 123'456'789;
    });
  };
  CHECK(touch("/w/file") == 0);
  CHECK(host_status(scratch.path("w/file")).st_mtim.tv_sec == -5);
  CHECK(host_status(scratch.path("w/file")).st_mtim.tv_nsec == 123'456'789);
  CHECK(touch("/w/none") == -ENOENT);

  const auto truncate = [&](const std::string &path, std::int64_t length) {
    return client.simple<methods::Truncate>(path, [&](auto &request) { request.length = length; });
  };
  CHECK(truncate("/w/file", 2) == 0);
  CHECK(host_status(scratch.path("w/file")).st_size == 2);
  CHECK(truncate("/w/file", -1) == -EINVAL);
  CHECK(truncate("/w/dir", 0) == -EISDIR);
}

TEST_CASE("Statfs knows real and fabricated directories") {
  const Scratch scratch;
  Running running(scratch);
  const Client client = running.start();
  const auto statfs = [&](const std::string &path, methods::Statfs::Reply &reply) {
    methods::Statfs::Request request;
    request.path = bytes(path);
    return invoke<methods::Statfs>(client.fs_op(), request, reply);
  };
  methods::Statfs::Reply reply;
  REQUIRE(statfs("/w", reply) == 0);
  struct statfs host {};
  REQUIRE(::statfs(scratch.path("w").c_str(), &host) == 0);
  CHECK(reply.type == static_cast<std::uint64_t>(host.f_type));
  CHECK(reply.blocks == host.f_blocks);
  REQUIRE(statfs("/", reply) == 0);
  CHECK(reply.type == TMPFS_MAGIC);
  CHECK(statfs("/none", reply) == -ENOENT);
}

TEST_CASE("extended attributes are set, read, listed and removed") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("w/file", "");
  const Client client = running.start();
  const auto set = [&](const std::string &name, std::uint64_t flags = 0) {
    return client.simple<methods::SetXattr>("/w/file", [&](auto &request) {
      request.name = bytes(name);
      request.value = Bytes{"value", 5};
      request.create_flags = flags;
    });
  };
  CHECK(set("user.name") == 0);
  CHECK(set("user.name", XATTR_CREATE) == -EEXIST);
  CHECK(set("user.other", XATTR_REPLACE) == -ENODATA);
  CHECK(set("security.capability") == -EPERM);
  CHECK(set("trusted.name") == -EPERM);
  CHECK(set("") == -ERANGE);

  char buffer[256];
  methods::GetXattr::Request get;
  get.path = bytes("/w/file");
  get.name = bytes("user.name");
  methods::GetXattr::Reply got;
  const auto get_up_to = [&](std::uint64_t size) {
    get.size = size;
    return invoke<methods::GetXattr>(client.fs_op(), get, got, {buffer, sizeof buffer});
  };
  REQUIRE(get_up_to(sizeof buffer) == 0);
  CHECK(std::string(got.value.data, got.value.size) == "value");
  REQUIRE(get_up_to(0) == 0);
  CHECK(got.length == 5);
  CHECK(got.value.size == 0);
  CHECK(get_up_to(2) == -ERANGE);

  methods::ListXattr::Request list;
  list.path = bytes("/w/file");
  list.size = sizeof buffer;
  methods::ListXattr::Reply names;
  REQUIRE(invoke<methods::ListXattr>(client.fs_op(), list, names, {buffer, sizeof buffer}) == 0);
  CHECK(std::string(names.names.data, names.names.size).find("user.name") != std::string::npos);

  const auto remove = [&](const std::string &name) {
    return client.simple<methods::RemoveXattr>("/w/file",
                                               [&](auto &request) { request.name = bytes(name); });
  };
  CHECK(remove("user.name") == 0);
  CHECK(remove("user.name") == -ENODATA);
}

TEST_CASE("InotifyAddWatch watches through the caller's own instance") {
  const Scratch scratch;
  Running running(scratch);
  const Client client = running.start();
  const UniqueFd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  const auto watch = [&](const std::string &path, int instance) {
    return client.simple<methods::InotifyAddWatch>(path, [&](auto &request) {
      request.inotify = instance;
      request.mask = IN_CREATE;
    });
  };
  CHECK(watch("/w", inotify.get()) == 0);
  scratch.write("w/new", "");
  alignas(inotify_event) char buffer[512];
  REQUIRE(::read(inotify.get(), buffer, sizeof buffer) > 0);
  CHECK(std::string(reinterpret_cast<inotify_event *>(buffer)->name) == "new");
  CHECK(watch("/none", inotify.get()) == -ENOENT);
  CHECK(watch("/w", -1) == -EBADF);
  const UniqueFd file = open_file(client, "/w/new", O_RDONLY);
  CHECK(watch("/w", file.get()) == -EINVAL);
}
