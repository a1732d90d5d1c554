// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Many callers on one object: each gets its own reply. And what is left when the server dies.
#include <sys/stat.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "tests/shim/engine/world.h"

using namespace plash;
using namespace plash::testing;

namespace {

constexpr int callers = 8;

// Files whose names tell their sizes, and links whose names tell their targets.
std::string make_files() {
  const std::string dir = World::get().writable() + "/many";
  std::filesystem::create_directories(dir);
  for (int i = 0; i < 64; ++i) {
    std::ofstream(dir + "/" + std::to_string(i)) << std::string(static_cast<std::size_t>(i), 'x');
    ::symlink(("target-" + std::to_string(i)).c_str(), (dir + "/link" + std::to_string(i)).c_str());
  }
  return dir;
}

// Mixed calls whose results only this caller's arguments explain. Returns the number of wrong ones.
int check_calls(const std::string &dir, int seed, int count) {
  int wrong = 0;
  for (int i = 0; i < count; ++i) {
    const int n = (seed * 31 + i * 7) % 64;
    const std::string name = dir + "/" + std::to_string(n);
    switch (i % 5) {
      case 0: {
        struct stat status;
        if (emulated(SYS_stat, name.c_str(), &status) != 0 || status.st_size != n) ++wrong;
        break;
      }
      case 1: {
        char target[64];
        const std::string expected = "target-" + std::to_string(n);
        const std::string link = dir + "/link" + std::to_string(n);
        const long size = emulated(SYS_readlink, link.c_str(), target, sizeof target);
        if (size < 0 || std::string(target, static_cast<std::size_t>(size)) != expected) ++wrong;
        break;
      }
      case 2: {
        const long fd = emulated(SYS_open, name.c_str(), O_RDONLY | O_CLOEXEC);
        struct stat status;
        if (fd < 0 || ::fstat(static_cast<int>(fd), &status) != 0 || status.st_size != n) ++wrong;
        if (fd >= 0) ::close(static_cast<int>(fd));
        break;
      }
      case 3:
        if (emulated(SYS_access, (name + "-none").c_str(), F_OK) != -ENOENT) ++wrong;
        break;
      default:
        if (emulated(SYS_open, (name + "/x").c_str(), O_RDONLY) != -ENOTDIR) ++wrong;
        break;
    }
  }
  return wrong;
}

int server_descriptors() {
  int count = 0;
  const std::string path = "/proc/" + std::to_string(World::get().server()) + "/fd";
  for ([[maybe_unused]] const auto &entry : std::filesystem::directory_iterator(path)) ++count;
  return count;
}

}  // namespace

TEST_CASE(
    "eight threads with 100,000 mixed calls each get their own replies, and no descriptor is "
    "lost") {
  const std::string dir = make_files();
  check_calls(dir, 0, 100);
  const int mine = open_descriptors();
  ::usleep(500'000);  // until the server has closed what it had of those calls
  const int servers = server_descriptors();
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < callers; ++t)
    threads.emplace_back([&, t] { wrong += check_calls(dir, t, 100'000); });
  for (std::thread &thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(open_descriptors() == mine);
  for (int i = 0; i < 100 && server_descriptors() != servers; ++i) ::usleep(10'000);
  CHECK(server_descriptors() == servers);
}

TEST_CASE("eight processes after fork get their own replies") {
  const std::string dir = make_files();
  std::vector<pid_t> children;
  for (int p = 0; p < callers; ++p) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) ::_exit(check_calls(dir, p, 20'000) == 0 ? 0 : 1);
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
  }
}

// Last: it takes the server away.
TEST_CASE("when the server is killed, pending and later calls fail with EIO within a second") {
  const std::string dir = make_files();
  const std::string fifo = dir + "/fifo";
  ::unlink(fifo.c_str());
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const int mine = open_descriptors();
  std::atomic<bool> stop{false};
  std::atomic<int> other_errors{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < callers; ++t) {
    threads.emplace_back([&, t] {
      // One waits in a call that takes long, the others are in the middle of short ones.
      while (!stop) {
        const long result = t == 0 ? emulated(SYS_open, fifo.c_str(), O_RDONLY)
                                   : emulated(SYS_access, dir.c_str(), F_OK);
        if (result == -EIO) return;
        if (result != 0) ++other_errors;
      }
    });
  }
  ::usleep(200'000);
  const auto killed = std::chrono::steady_clock::now();
  ::kill(World::get().server(), SIGKILL);
  for (std::thread &thread : threads) thread.join();
  const auto waited = std::chrono::steady_clock::now() - killed;
  stop = true;
  CHECK(other_errors == 0);
  CHECK(waited < std::chrono::seconds(1));
  CHECK(emulated(SYS_access, dir.c_str(), F_OK) == -EIO);
  CHECK(emulated(SYS_chdir, dir.c_str()) == -EIO);
  CHECK(open_descriptors() == mine);
}
