// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Methods of directory objects: listings and their positions, locks, paths.
#include <dirent.h>
#include <sys/file.h>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "tests/tools/server/fixture.h"

using namespace plash;
using namespace plash::testing;

namespace {

struct Entry {
  std::string name;
  unsigned char type;
  std::int64_t offset;
};

// One page. error: 0 or -errno.
std::vector<Entry> page(int directory, std::size_t size, long &error, bool *at_end = nullptr) {
  methods::ListDirectory::Request request;
  request.size = size;
  methods::ListDirectory::Reply reply;
  std::vector<char> buffer(size);
  error = invoke<methods::ListDirectory>(directory, request, reply, {buffer.data(), size});
  std::vector<Entry> entries;
  if (error != 0) return entries;
  if (at_end != nullptr) *at_end = reply.at_end != 0;
  for (std::uint64_t at = 0; at < reply.entries.size;) {
    struct dirent64 entry;
    std::memcpy(&entry, reply.entries.data + at, offsetof(struct dirent64, d_name));
    const char *name = reply.entries.data + at + offsetof(struct dirent64, d_name);
    entries.push_back({name, entry.d_type, entry.d_off});
    at += entry.d_reclen;
  }
  return entries;
}

std::vector<Entry> all(int directory, std::size_t size = 4096) {
  std::vector<Entry> entries;
  for (;;) {
    long error;
    const std::vector<Entry> next = page(directory, size, error);
    REQUIRE(error == 0);
    if (next.empty()) return entries;
    entries.insert(entries.end(), next.begin(), next.end());
  }
}

std::multiset<std::string> names(const std::vector<Entry> &entries) {
  std::multiset<std::string> result;
  for (const Entry &entry : entries) result.insert(entry.name);
  return result;
}

std::int64_t seek(int directory, std::int64_t offset, std::uint64_t whence = SEEK_SET) {
  methods::SeekDirectory::Request request;
  request.offset = offset;
  request.whence = whence;
  methods::SeekDirectory::Reply reply;
  const long error = invoke<methods::SeekDirectory>(directory, request, reply);
  return error != 0 ? error : reply.position;
}

// From behind each entry the listing goes on with the next one.
void check_positions(int directory, const std::vector<Entry> &entries) {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    REQUIRE(seek(directory, entries[i].offset) == entries[i].offset);
    const std::vector<Entry> rest = all(directory);
    REQUIRE(rest.size() == entries.size() - i - 1);
    if (!rest.empty()) REQUIRE(rest.front().name == entries[i + 1].name);
  }
  CHECK(seek(directory, 0) == 0);
  CHECK(all(directory).size() == entries.size());
}

long lock(int directory, int operation) {
  methods::LockDirectory::Request request;
  request.operation = static_cast<unsigned>(operation);
  methods::LockDirectory::Reply reply;
  return invoke<methods::LockDirectory>(directory, request, reply);
}

}  // namespace

TEST_CASE("the last records come with word that they are") {
  const Scratch scratch;
  Running running(scratch);
  for (int i = 0; i < 100; ++i) scratch.write("w/file" + std::to_string(i), "");
  const Client client = running.start();
  for (const char *path : {"/w", "/"}) {
    const UniqueFd directory = client.open_directory(path);
    const std::size_t total = all(directory.get()).size();
    for (const std::size_t size : {std::size_t{300}, std::size_t{4096}, std::size_t{60'000}}) {
      CHECK(seek(directory.get(), 0) == 0);
      std::size_t listed = 0;
      bool at_end = false;
      while (!at_end) {
        long error;
        const std::size_t count = page(directory.get(), size, error, &at_end).size();
        REQUIRE(error == 0);
        listed += count;
        REQUIRE((count != 0 || at_end));
      }
      CHECK(listed == total);
      // With room for everything, once is enough.
      if (size == 60'000) {
        long error;
        CHECK(seek(directory.get(), 0) == 0);
        CHECK(page(directory.get(), size, error, &at_end).size() == total);
        CHECK(at_end);
      }
    }
  }
}

TEST_CASE("a real directory lists as the kernel lists it, positions included") {
  const Scratch scratch;
  Running running(scratch);
  for (int i = 0; i < 100; ++i) scratch.write("w/file" + std::to_string(i), "");
  scratch.make_directory("w/dir");
  const Client client = running.start();
  const UniqueFd directory = client.open_directory("/w");
  const std::vector<Entry> entries = all(directory.get(), 512);
  DIR *host = ::opendir(scratch.path("w").c_str());
  std::size_t index = 0;
  while (const dirent *entry = ::readdir(host)) {
    REQUIRE(index < entries.size());
    CHECK(entries[index].name == entry->d_name);
    CHECK(entries[index].offset == entry->d_off);
    CHECK(entries[index].type == entry->d_type);
    ++index;
  }
  ::closedir(host);
  CHECK(index == entries.size());
  CHECK(all(directory.get()).empty());
  check_positions(directory.get(), entries);
  long error;
  seek(directory.get(), 0);
  page(directory.get(), 8, error);
  CHECK(error == -EINVAL);
}

TEST_CASE("a directory that is real and in the tree lists both, each name once") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("r/hidden/x", "");
  for (int i = 0; i < 100; ++i) scratch.write("r/file" + std::to_string(i), "");
  scratch.write("elsewhere", "");
  running.name_space->make_directory("/r/hidden");
  running.name_space->make_directory("/r/made");
  running.name_space->make_symlink("/r/link", "made");
  running.name_space->grant("/r/granted", scratch.path("elsewhere"), {});
  running.name_space->grant("/r/slot", scratch.path("absent"), {true, true, false, false});
  const Client client = running.start();
  const UniqueFd directory = client.open_directory("/r");
  const std::vector<Entry> entries = all(directory.get(), 256);
  const auto found = names(entries);
  CHECK(found.size() == 2 + 100 + 4);
  for (const char *name : {".", "..", "hidden", "made", "link", "granted", "file99"})
    CHECK(found.count(name) == 1);
  CHECK(found.count("slot") == 0);
  std::map<std::string, unsigned char> types;
  for (const Entry &entry : entries) types[entry.name] = entry.type;
  CHECK(types["link"] == DT_LNK);
  CHECK(types["made"] == DT_DIR);
  CHECK(types["granted"] == DT_REG);
  check_positions(directory.get(), entries);
}

TEST_CASE("fabricated directories list their children, repeatably") {
  const Scratch scratch;
  Running running(scratch);
  running.name_space->make_directory("/empty");
  const Client client = running.start();
  const UniqueFd root = client.open_directory("/");
  const std::vector<Entry> entries = all(root.get(), 32);
  CHECK(names(entries) == std::multiset<std::string>{".", "..", "empty", "r", "w"});
  check_positions(root.get(), entries);
  CHECK(names(all(client.open_directory("/empty").get())) == std::multiset<std::string>{".", ".."});
  CHECK(seek(root.get(), -1) == -EINVAL);
  CHECK(seek(root.get(), 0, SEEK_END) == -EINVAL);
}

TEST_CASE("each object has a position of its own, which its copies share") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("w/file", "");
  const Client client = running.start();
  const UniqueFd one = client.open_directory("/w");
  const UniqueFd two = client.open_directory("/w");
  CHECK(all(one.get()).size() == 3);
  CHECK(all(two.get()).size() == 3);
  const UniqueFd copy(::dup(one.get()));
  CHECK(all(copy.get()).empty());
}

TEST_CASE("locks on directories are each object's own, and waited for") {
  const Scratch scratch;
  Running running(scratch);
  const Client client = running.start();
  const UniqueFd one = client.open_directory("/w");
  UniqueFd two = client.open_directory("/w");
  CHECK(lock(one.get(), LOCK_EX) == 0);
  CHECK(lock(two.get(), LOCK_EX | LOCK_NB) == -EWOULDBLOCK);
  std::atomic<long> result{1};
  std::thread waiting([&] { result = lock(two.get(), LOCK_SH); });
  ::usleep(50'000);
  CHECK(result == 1);
  CHECK(lock(one.get(), LOCK_UN) == 0);
  waiting.join();
  CHECK(result == 0);
  CHECK(lock(one.get(), LOCK_EX | LOCK_NB) == -EWOULDBLOCK);
  // The lock goes with the object.
  two.reset();
  CHECK(lock(one.get(), LOCK_EX) == 0);
  CHECK(lock(one.get(), 0) == -EINVAL);
}

TEST_CASE("SyncDirectory and DirectoryPath") {
  const Scratch scratch;
  Running running(scratch);
  const Client client = running.start();
  const UniqueFd directory = client.open_directory("/w");
  const UniqueFd root = client.open_directory("/");
  methods::SyncDirectory::Request request;
  methods::SyncDirectory::Reply reply;
  CHECK(invoke<methods::SyncDirectory>(directory.get(), request, reply) == 0);
  request.data_only = 1;
  CHECK(invoke<methods::SyncDirectory>(root.get(), request, reply) == 0);
  methods::DirectoryPath::Request small;
  small.size = 2;
  methods::DirectoryPath::Reply path;
  char buffer[16];
  CHECK(invoke<methods::DirectoryPath>(directory.get(), small, path, {buffer, sizeof buffer}) ==
        -ERANGE);
}

TEST_CASE("a negative offset that is no position of the tree's part is EINVAL") {
  const Scratch scratch;
  Running running(scratch);
  running.name_space->grant("/w/below", scratch.path("r"), {});
  const Client client = running.start();
  const UniqueFd directory = client.open_directory("/w");
  const auto seek = [&](std::int64_t offset) {
    methods::SeekDirectory::Request request;
    request.offset = offset;
    request.whence = SEEK_SET;
    methods::SeekDirectory::Reply reply;
    return invoke<methods::SeekDirectory>(directory.get(), request, reply);
  };
  for (const std::int64_t offset : {-1L, -2L, -1000L, -4096L, -65536L, -(1L << 40)})
    CHECK(seek(offset) == -EINVAL);
  CHECK(seek(0) == 0);
}
