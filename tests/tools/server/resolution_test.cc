// SPDX-License-Identifier: LGPL-2.1-or-later
#include <linux/openat2.h>

#include <atomic>
#include <thread>

#include "tests/tools/server/fixture.h"

using namespace plash;
using namespace plash::testing;

TEST_CASE("files are found at any depth, by absolute and by relative paths") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("r/a/b/c/d/e/file", "deep");
  const Client client = running.start();
  CHECK(client.read("/r/a/b/c/d/e/file") == "deep");
  CHECK(client.read("//r/./a/b//c/d/e/./file") == "deep");
  const UniqueFd base = client.open_directory("/r/a/b");
  CHECK(client.read("c/d/e/file", base.get()) == "deep");
  CHECK(client.read("../b/c/d/e/file", base.get()) == "deep");
  CHECK(client.read("../../../../../r/a/b/c/d/e/file", base.get()) == "deep");
  CHECK(client.open("/r/a/b/none") == -ENOENT);
  CHECK(client.open("/none/x") == -ENOENT);
  CHECK(client.open("/r/a/b/c/d/e/file/x") == -ENOTDIR);
  CHECK(client.open("/r/a/b/c/d/e/file/") == -ENOTDIR);
  CHECK(client.open("relative") == -ENOENT);
}

TEST_CASE("limits of names and paths are the kernel's") {
  const Scratch scratch;
  Running running(scratch);
  const Client client = running.start();
  CHECK(client.open("") == -ENOENT);
  CHECK(client.open("/w/" + std::string(255, 'n'), O_WRONLY | O_CREAT) >= 0);
  CHECK(client.open("/w/" + std::string(256, 'n')) == -ENAMETOOLONG);
  CHECK(client.open("/w/" + std::string(256, 'n') + "/x") == -ENAMETOOLONG);
  const std::string slashes(4090, '/');
  CHECK(client.open(slashes + "w", O_PATH) >= 0);
}

TEST_CASE("symlinks are followed inside the namespace, and only there") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("r/dir/file", "inside");
  scratch.write("outside", "outside");
  scratch.link("r/relative", "dir/file");
  scratch.link("r/absolute", "/r/dir/file");
  scratch.link("r/up", "../../../../r/dir/../dir/file");
  scratch.link("r/dirlink", "dir");
  scratch.link("r/host", scratch.path("outside"));
  scratch.link("r/escape", "../outside");
  scratch.link("r/loop", "loop");
  scratch.link("r/dangling", "nowhere");
  const Client client = running.start();
  CHECK(client.read("/r/relative") == "inside");
  CHECK(client.read("/r/absolute") == "inside");
  CHECK(client.read("/r/up") == "inside");
  CHECK(client.read("/r/dirlink/file") == "inside");
  CHECK(client.read("/r/dirlink/../dirlink/./file") == "inside");
  CHECK(client.open("/r/host") == -ENOENT);
  CHECK(client.open("/r/escape") == -ENOENT);
  CHECK(client.open("/r/loop") == -ELOOP);
  CHECK(client.open("/r/loop/x") == -ELOOP);
  CHECK(client.open("/r/dangling") == -ENOENT);
  CHECK(client.open("/r/relative", O_RDONLY | O_NOFOLLOW) == -ELOOP);
  CHECK(client.readlink("/r/relative") == "dir/file");
  CHECK(client.readlink("/r/dirlink/file") == "errno " + std::to_string(EINVAL));
  methods::Stat::Reply status;
  CHECK(client.stat("/r/dirlink", status, AT_SYMLINK_NOFOLLOW) == 0);
  CHECK(S_ISLNK(status.mode));
  CHECK(client.stat("/r/dirlink/", status, AT_SYMLINK_NOFOLLOW) == 0);
  CHECK(S_ISDIR(status.mode));
}

TEST_CASE(".. above the root is the root") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("r/file", "text");
  const Client client = running.start();
  CHECK(client.read("/../../../r/../../r/file") == "text");
  CHECK(Client::path_of(client.open_directory("/..").get()) == "/");
}

TEST_CASE("grants nest: what is granted below a grant hides what is there") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("r/sub/deep/own", "covered");
  scratch.write("r/sub/other", "other");
  scratch.write("elsewhere/file", "granted");
  running.name_space->grant("/r/sub/deep", scratch.path("elsewhere"), {true, false, false, false});
  running.name_space->make_symlink("/link", "r/sub/deep");
  const Client client = running.start();
  CHECK(client.read("/r/sub/deep/file") == "granted");
  CHECK(client.open("/r/sub/deep/own") == -ENOENT);
  CHECK(client.read("/r/sub/other") == "other");
  CHECK(client.read("/link/file") == "granted");
  CHECK(client.read("/link/../other") == "other");
  const UniqueFd sub = client.open_directory("/r/sub");
  CHECK(client.read("deep/file", sub.get()) == "granted");
  CHECK(client.open("/r/sub/deep/new", O_WRONLY | O_CREAT) >= 0);
  CHECK(client.open("/r/sub/new", O_WRONLY | O_CREAT) == -EROFS);
}

TEST_CASE("getcwd follows renames and sees removal") {
  const Scratch scratch;
  Running running(scratch);
  scratch.make_directory("w/one/two");
  const Client client = running.start();
  const UniqueFd two = client.open_directory("/w/one/two");
  CHECK(Client::path_of(two.get()) == "/w/one/two");
  std::filesystem::rename(scratch.path("w/one"), scratch.path("w/uno"));
  CHECK(Client::path_of(two.get()) == "/w/uno/two");
  std::filesystem::remove(scratch.path("w/uno/two"));
  CHECK(Client::path_of(two.get()) == "errno " + std::to_string(ENOENT));
  CHECK(client.open("x", O_RDONLY, 0, two.get()) == -ENOENT);
}

TEST_CASE("a directory moved out of its grant leads nowhere") {
  const Scratch scratch;
  Running running(scratch);
  scratch.make_directory("w/dir");
  scratch.write("secret", "secret");
  const Client client = running.start();
  const UniqueFd dir = client.open_directory("/w/dir");
  std::filesystem::rename(scratch.path("w/dir"), scratch.path("moved"));
  CHECK(client.open("../secret", O_RDONLY, 0, dir.get()) == -ENOENT);
  CHECK(Client::path_of(dir.get()) == "errno " + std::to_string(ENOENT));
}

TEST_CASE("a symlink swapped in during the walk never leads outside") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("w/real/file", "inside");
  scratch.write("out/file", "outside");
  scratch.link("w/evil", scratch.path("out"));
  const Client client = running.start();
  std::atomic<bool> stop{false};
  std::thread swapper([&] {
    while (!stop) {
      ::renameat2(AT_FDCWD, scratch.path("w/real").c_str(), AT_FDCWD,
                  scratch.path("w/evil").c_str(), RENAME_EXCHANGE);
    }
  });
  int inside = 0;
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = client.read("/w/real/file");
    if (text == "inside")
      ++inside;
    else if (text == "errno " + std::to_string(ENOENT))
      ++refused;
    else
      FAIL(text);
  }
  stop = true;
  swapper.join();
  CHECK(inside > 0);
  CHECK(refused > 0);
}

TEST_CASE("openat2's resolve flags are heeded") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("r/dir/file", "text");
  scratch.link("r/dir/absolute", "/file");
  scratch.link("r/link", "dir");
  const Client client = running.start();
  const UniqueFd dir = client.open_directory("/r/dir");
  CHECK(client.open("../dir/file", O_RDONLY, 0, dir.get(), RESOLVE_BENEATH) == -EXDEV);
  CHECK(client.open("file", O_RDONLY, 0, dir.get(), RESOLVE_BENEATH) >= 0);
  CHECK(client.open("absolute", O_RDONLY, 0, dir.get(), RESOLVE_IN_ROOT) >= 0);
  CHECK(client.open("/r/link/file", O_RDONLY, 0, -1, RESOLVE_NO_SYMLINKS) == -ELOOP);
  CHECK(client.open("/r/dir/file", O_RDONLY, 0, -1, 0x8000) == -EINVAL);
}

TEST_CASE("the host's procfs is neither granted nor entered") {
  const Scratch scratch;
  Running running(scratch);
  CHECK_THROWS_WITH(running.name_space->grant("/proc", "/proc", {}), Catch::Contains("/proc"));
  running.name_space->grant("/host", "/", {});
  const Client client = running.start();
  CHECK(client.open("/host/proc/self/status") == -EACCES);
  CHECK(client.open("/host/proc") == -EACCES);
}
