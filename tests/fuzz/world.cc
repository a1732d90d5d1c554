// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/fuzz/world.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace plash::fuzz {
namespace {

namespace fs = std::filesystem;

void write_file(const std::string &path, const std::string &text) { std::ofstream(path) << text; }

void empty_directory(const fs::path &directory) {
  std::error_code error;
  for (const auto &entry : fs::directory_iterator(directory, error)) {
    // What was made unreadable by a Chmod.
    if (entry.is_directory(error) && !entry.is_symlink(error))
      fs::permissions(entry, fs::perms::owner_all, error);
    fs::remove_all(entry, error);
  }
}

UniqueFd one_of_a_pair(int type) {
  int pair[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) return UniqueFd();
  ::close(pair[1]);
  return UniqueFd(pair[0]);
}

}  // namespace

World::World() {
  std::string name = "/tmp/plash-fuzz-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr)
    throw std::system_error(errno, std::generic_category(), "mkdtemp");
  directory_ = name;
  for (const char *sub : {"/w", "/r", "/s"}) fs::create_directory(directory_ + sub);
  restore();
}

World::~World() {
  std::error_code error;
  for (const char *sub : {"/w", "/r", "/s"}) {
    ::chmod((directory_ + sub).c_str(), 0755);
    empty_directory(directory_ + sub);
  }
  fs::remove_all(directory_, error);
}

void World::restore() {
  for (const char *sub : {"/w", "/r", "/s"}) {
    const std::string path = directory_ + sub;
    ::chmod(path.c_str(), 0755);
    empty_directory(path);
    fs::create_directories(path + "/sub/deep");
    write_file(path + "/sub/file", "text");
    write_file(path + "/sub/deep/file", "#!/w/sub/file argument\n");
    ::chmod((path + "/sub/deep/file").c_str(), 0755);
    fs::create_symlink("sub/file", path + "/link");
    fs::create_symlink("/r/link", path + "/absolute");
    fs::create_symlink("loop", path + "/loop");
    ::mkfifo((path + "/fifo").c_str(), 0666);
  }
}

std::shared_ptr<server::Namespace> World::make_namespace() const {
  auto made = std::make_shared<server::Namespace>();
  made->grant("/w", directory_ + "/w", {true, false, true, true});
  made->grant("/r", directory_ + "/r", {});
  made->grant("/s", directory_ + "/s", {false, false, false, true});
  made->grant("/r/sub/slot", directory_ + "/w/slot", {true, true, false, false});
  made->make_symlink("/f/link", "/w/sub");
  return made;
}

UniqueFd World::make_descriptor(unsigned kind) const {
  switch (kind % 10) {
    case 0:
      return UniqueFd(::open((directory_ + "/r/sub/file").c_str(), O_RDONLY | O_CLOEXEC));
    case 1:
      return UniqueFd(::open((directory_ + "/w/sub/file").c_str(), O_RDWR | O_CLOEXEC));
    case 2:
      return UniqueFd(::open((directory_ + "/w/sub").c_str(), O_PATH | O_CLOEXEC));
    case 3:
      return UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    case 4:
      return UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    case 5:
      return one_of_a_pair(SOCK_SEQPACKET);
    case 6:
      return one_of_a_pair(SOCK_DGRAM);
    case 7:
      return UniqueFd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    case 8:
      return UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC));
    default:
      return UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  }
}

int open_descriptors() {
  int count = 0;
  DIR *const list = ::opendir("/proc/self/fd");
  while (list != nullptr && ::readdir(list) != nullptr) ++count;
  if (list != nullptr) ::closedir(list);
  return count;
}

}  // namespace plash::fuzz
