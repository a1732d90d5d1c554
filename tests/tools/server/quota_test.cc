// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What one sandbox may use: a clear error at each limit, room for the others, and nothing left when
// its clients are gone.
#include <sys/socket.h>
#include <sys/wait.h>

#include <csignal>
#include <optional>

#include <thread>

#include "tests/tools/server/raw_message.h"

using namespace plash;
using namespace plash::testing;

namespace {

// A server with two sandboxes, each with /w and /r.
class TwoSandboxes {
 public:
  explicit TwoSandboxes(const server::Limits &limits) : running_(scratch_, options(limits)) {
    scratch_.write("r/file", "text");
    REQUIRE(::mkfifo(scratch_.path("w/fifo").c_str(), 0666) == 0);
    other_ = std::make_shared<server::Namespace>();
    other_->grant("/w", scratch_.path("w"), {true, false, true, true});
    other_->grant("/r", scratch_.path("r"), {});
    first.emplace(running_.start());
    second.emplace(running_.server.make_fs_op(other_));
  }

  server::Server &server() { return running_.server; }
  // Waits until the server holds nothing but so many objects.
  bool settles(std::size_t objects) {
    for (int i = 0; i < 500; ++i) {
      const server::Usage usage = server().usage();
      if (usage.objects == objects && usage.calls == 0 && usage.blocked_calls == 0 &&
          usage.bytes == 0 && usage.descriptors == 0)
        return true;
      ::usleep(10'000);
    }
    return false;
  }

  std::optional<Client> first;
  std::optional<Client> second;

 private:
  static server::Options options(const server::Limits &limits) {
    server::Options result;
    result.limits = limits;
    return result;
  }
  const Scratch scratch_;
  Running running_;
  std::shared_ptr<server::Namespace> other_;
};

// A raw request to open path for writing; the FIFO has no reader.
UniqueFd begin_open(const Client &client, const std::string &path) {
  std::string payload(6 * 8, '\0');
  payload[8] = static_cast<char>(path.size());
  payload[16] = O_WRONLY;
  return begin_call(
      client.fs_op(),
      packet(header_of(methods::Open::code, payload.size() + path.size()), payload + path));
}

UniqueFd begin_large(const Client &client, std::size_t size, std::size_t total) {
  PacketHeader header = header_of(methods::Ping::code, size);
  header.total_size = total;
  return begin_call(client.fs_op(), packet(header, std::string(size, '\0')));
}

}  // namespace

TEST_CASE("objects: EMFILE for the sandbox that has too many, the other has its own") {
  server::Limits limits;
  limits.sandbox.max_objects = 10;
  TwoSandboxes world(limits);
  std::vector<UniqueFd> directories;
  for (int i = 0; i < 9; ++i) directories.push_back(world.first->open_directory("/r"));
  CHECK(world.first->open("/r") == -EMFILE);
  CHECK(world.first->read("/r/file") == "text");
  for (int i = 0; i < 9; ++i) directories.push_back(world.second->open_directory("/r"));
  CHECK(world.second->open("/r") == -EMFILE);
  directories.clear();
  CHECK(world.settles(2));
}

TEST_CASE("objects: ENFILE where all sandboxes together have too many") {
  server::Limits limits;
  limits.total.max_objects = 10;
  TwoSandboxes world(limits);
  std::vector<UniqueFd> directories;
  for (int i = 0; i < 8; ++i) directories.push_back(world.first->open_directory("/r"));
  CHECK(world.second->open("/r") == -ENFILE);
  directories.clear();
  CHECK(world.settles(2));
  CHECK(UniqueFd(static_cast<int>(world.second->open("/r"))));
}

TEST_CASE("calls that wait: EAGAIN for the sandbox that has too many, also against the backstop") {
  server::Limits limits;
  limits.sandbox.max_blocked_calls = 3;
  limits.total.max_blocked_calls = 5;
  TwoSandboxes world(limits);
  std::vector<UniqueFd> calls;
  for (int i = 0; i < 3; ++i) {
    calls.push_back(begin_open(*world.first, "/w/fifo"));
    CHECK(reply_on(calls.back().get()) == "Wait");
  }
  CHECK(world.first->open("/w/fifo", O_WRONLY) == -EAGAIN);
  for (int i = 0; i < 2; ++i) {
    calls.push_back(begin_open(*world.second, "/w/fifo"));
    CHECK(reply_on(calls.back().get()) == "Wait");
  }
  CHECK(world.second->open("/w/fifo", O_WRONLY) == -EAGAIN);
  calls.clear();
  CHECK(world.settles(2));
}

TEST_CASE("calls in flight: EAGAIN for the sandbox that has too many") {
  server::Limits limits;
  limits.sandbox.max_calls = 4;
  TwoSandboxes world(limits);
  std::vector<UniqueFd> calls;
  calls.push_back(begin_open(*world.first, "/w/fifo"));
  for (int i = 0; i < 3; ++i) calls.push_back(begin_large(*world.first, 8, 16));
  for (int i = 0; i < 100 && world.server().usage().calls < 4; ++i) ::usleep(10'000);
  CHECK(world.first->open("/r/file") == -EAGAIN);
  CHECK(world.second->read("/r/file") == "text");
  calls.clear();
  CHECK(world.settles(2));
  CHECK(world.first->read("/r/file") == "text");
}

TEST_CASE("bytes under way: the sandbox's own oldest message gives way, and none of the other's") {
  server::Limits limits;
  limits.sandbox.max_bytes = 4 * max_fragment_size;
  TwoSandboxes world(limits);
  const UniqueFd bystander = begin_large(*world.second, 1000, 2000);
  std::vector<UniqueFd> calls;
  // One after another, so that it is known which is the oldest.
  for (std::size_t i = 0; i < 6; ++i) {
    calls.push_back(begin_large(*world.first, max_fragment_size, max_message_size));
    if (i >= 4) CHECK(reply_on(calls[i - 4].get()) == "end");
    const std::size_t all = std::min<std::size_t>(i + 1, 4) * max_fragment_size + 1000;
    for (int k = 0; k < 500 && world.server().usage().bytes != all; ++k) ::usleep(10'000);
  }
  CHECK(reply_on(calls[5].get(), 100) == "nothing");
  CHECK(reply_on(bystander.get(), 100) == "nothing");
  CHECK(world.server().usage().bytes == 4 * max_fragment_size + 1000);
  // The one that is left alone does not fit either.
  for (std::uint64_t offset = max_fragment_size; offset < 6 * max_fragment_size;
       offset += max_fragment_size) {
    PacketHeader header = header_of(methods::Ping::code, max_fragment_size);
    header.total_size = max_message_size;
    header.offset = offset;
    send_packet_to(calls[5].get(), packet(header, std::string(max_fragment_size, '\0')));
  }
  CHECK(reply_on(calls[5].get()) == "end");
  CHECK(reply_on(bystander.get(), 100) == "nothing");
  calls.clear();
}

TEST_CASE("messages of several packets: the sandbox's own oldest gives way") {
  server::Limits limits;
  limits.sandbox.max_assemblies = 3;
  TwoSandboxes world(limits);
  const UniqueFd bystander = begin_large(*world.second, 8, 16);
  std::vector<UniqueFd> calls;
  for (std::size_t i = 1; i <= 4; ++i) {
    calls.push_back(begin_large(*world.first, 8, 16));
    // In order: a worker each might take them in any.
    for (int k = 0; i < 4 && k < 500 && world.server().usage().bytes < 8 * (i + 1); ++k)
      ::usleep(10'000);
  }
  CHECK(reply_on(calls[0].get()) == "end");
  CHECK(reply_on(calls[1].get(), 100) == "nothing");
  CHECK(reply_on(bystander.get(), 100) == "nothing");
}

TEST_CASE("a client that is killed in the middle of everything leaves nothing") {
  TwoSandboxes world{server::Limits()};
  const int before = baseline_descriptors();
  for (int round = 0; round < 5; ++round) {
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t client = ::fork();
    if (client == 0) {
      std::vector<UniqueFd> held;
      for (int i = 0; i < 20; ++i) {
        held.emplace_back(static_cast<int>(world.first->open("/w", O_RDONLY | O_DIRECTORY)));
        held.push_back(begin_open(*world.first, "/w/fifo"));
        held.push_back(begin_large(*world.first, 5'000, 10'000));
      }
      ::close(ready[1]);
      for (;;) world.first->open("/r/file");
    }
    ::close(ready[1]);
    char byte;
    CHECK(::read(ready[0], &byte, 1) == 0);
    ::close(ready[0]);
    ::kill(client, SIGKILL);
    REQUIRE(::waitpid(client, nullptr, 0) == client);
    CHECK(world.settles(2));
  }
  CHECK(settled_descriptors(before) <= before);
}
