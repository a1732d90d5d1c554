// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A server over a scratch directory, and calls to it as a client makes them.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/call.h"
#include "tests/support/catch.h"
#include "tools/server/server.h"

namespace plash::testing {

inline Bytes bytes(std::string_view text) { return {text.data(), text.size()}; }

class Scratch {
 public:
  Scratch() {
    std::string name = "/tmp/plash-test-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;

  std::string path(const std::string &name = "") const {
    return name.empty() ? path_ : path_ + "/" + name;
  }
  void write(const std::string &name, const std::string &text) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    std::ofstream(path(name)) << text;
  }
  void make_directory(const std::string &name) const {
    std::filesystem::create_directories(path(name));
  }
  void link(const std::string &name, const std::string &target) const {
    REQUIRE(::symlink(target.c_str(), path(name).c_str()) == 0);
  }
  bool exists(const std::string &name) const {
    return std::filesystem::exists(std::filesystem::symlink_status(path(name)));
  }

 private:
  std::string path_;
};

inline std::string contents(int fd) {
  std::string text;
  char buffer[4096];
  ssize_t size;
  while ((size = ::read(fd, buffer, sizeof buffer)) > 0)
    text.append(buffer, static_cast<std::size_t>(size));
  return text;
}

// Calls to one fs_op, with paths as strings.
class Client {
 public:
  explicit Client(UniqueFd fs_op) : fs_op_(std::move(fs_op)) {}
  int fs_op() const { return fs_op_.get(); }

  // A descriptor or -errno.
  long open(const std::string &path, int flags = O_RDONLY, unsigned mode = 0666, int base = -1,
            std::uint64_t resolve = 0) const {
    methods::Open::Request request;
    request.base = base;
    request.path = bytes(path);
    request.flags = static_cast<unsigned>(flags);
    request.mode = mode;
    request.umask = 022;
    request.resolve = resolve;
    methods::Open::Reply reply;
    const long error = invoke<methods::Open>(fs_op(), request, reply);
    return error != 0 ? error : reply.file;
  }
  // The file's contents, or "errno N".
  std::string read(const std::string &path, int base = -1) const {
    const UniqueFd fd(static_cast<int>(open(path, O_RDONLY, 0, base)));
    return fd ? contents(fd.get()) : "errno " + std::to_string(-fd.get());
  }
  UniqueFd open_directory(const std::string &path, int base = -1) const {
    const long fd = open(path, O_RDONLY | O_DIRECTORY, 0, base);
    REQUIRE(fd >= 0);
    return UniqueFd(static_cast<int>(fd));
  }
  template <class M>
  long simple(const std::string &path, const auto &set, int base = -1) const {
    typename M::Request request;
    request.base = base;
    request.path = bytes(path);
    set(request);
    typename M::Reply reply;
    return invoke<M>(fs_op(), request, reply);
  }
  long stat(const std::string &path, methods::Stat::Reply &reply, std::uint64_t flags = 0,
            int base = -1) const {
    methods::Stat::Request request;
    request.base = base;
    request.path = bytes(path);
    request.flags = flags;
    request.mask = STATX_BASIC_STATS;
    return invoke<methods::Stat>(fs_op(), request, reply);
  }
  std::string readlink(const std::string &path) const {
    methods::Readlink::Request request;
    request.path = bytes(path);
    request.size = 4096;
    methods::Readlink::Reply reply;
    char buffer[4096];
    const long error = invoke<methods::Readlink>(fs_op(), request, reply, {buffer, sizeof buffer});
    return error != 0 ? "errno " + std::to_string(-error)
                      : std::string(reply.target.data, reply.target.size);
  }
  static std::string path_of(int directory) {
    methods::DirectoryPath::Request request;
    request.size = 4096;
    methods::DirectoryPath::Reply reply;
    char buffer[4096];
    const long error =
        invoke<methods::DirectoryPath>(directory, request, reply, {buffer, sizeof buffer});
    return error != 0 ? "errno " + std::to_string(-error)
                      : std::string(reply.path.data, reply.path.size);
  }

 private:
  UniqueFd fs_op_;
};

// A running server whose namespace has the scratch directory's w at /w (writable) and r at /r
// (read-only).
class Running {
 public:
  explicit Running(const Scratch &scratch, server::Options options = {})
      : server(std::move(options)) {
    name_space = std::make_shared<server::Namespace>();
    scratch.make_directory("w");
    scratch.make_directory("r");
    name_space->grant("/w", scratch.path("w"), {true, false, true, true});
    name_space->grant("/r", scratch.path("r"), {});
  }
  Client start() {
    Client client(server.make_fs_op(name_space));
    server.start();
    return client;
  }
  std::shared_ptr<server::Namespace> name_space;
  server::Server server;
};

inline int open_descriptors() {
  int count = 0;
  for ([[maybe_unused]] const auto &entry : std::filesystem::directory_iterator("/proc/self/fd"))
    ++count;
  return count;
}

// How many are open when the server has closed what it had of earlier calls, which it does when it
// gets to it.
inline int baseline_descriptors() {
  int fewest = open_descriptors();
  for (int i = 0; i < 20; ++i) {
    ::usleep(10'000);
    fewest = std::min(fewest, open_descriptors());
  }
  return fewest;
}

// Waits until no more are open than before; returns how many are.
inline int settled_descriptors(int before) {
  for (int i = 0; i < 500 && open_descriptors() > before; ++i) ::usleep(10'000);
  return open_descriptors();
}

}  // namespace plash::testing
