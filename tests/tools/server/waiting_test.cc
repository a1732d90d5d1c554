// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Calls that wait for somebody else: they meet, are cancelled, or their callers go away.
#include <atomic>
#include <csignal>
#include <thread>

#include "tests/tools/server/raw_message.h"

using namespace plash;
using namespace plash::testing;

namespace {

struct Fifo {
  explicit Fifo(server::Options options = {}) : running(scratch, std::move(options)) {
    REQUIRE(::mkfifo(scratch.path("w/fifo").c_str(), 0600) == 0);
  }
  Scratch scratch;
  Running running;
};

// An open that begins to wait: its reply socket, after Wait was seen.
UniqueFd begin_open(const Client &client, const std::string &path, std::uint64_t flags) {
  methods::Open::Request request;
  request.path = bytes(path);
  request.flags = flags;
  const Encoded<methods::Open::Request> encoded(request);
  const std::string payload =
      std::string(reinterpret_cast<const char *>(encoded.words), 6 * sizeof(std::uint64_t)) + path;
  UniqueFd reply =
      begin_call(client.fs_op(), packet(header_of(methods::Open::code, payload.size()), payload));
  CHECK(reply_on(reply.get()) == "Wait");
  return reply;
}

void do_nothing(int) {}

}  // namespace

TEST_CASE("reader and writer of a FIFO meet, whoever comes first, and data is not lost") {
  Fifo fifo;
  const Client client = fifo.running.start();
  for (int i = 0; i < 200; ++i) {
    std::string got;
    std::thread reader([&] { got = client.read("/w/fifo"); });
    if (i % 3 == 0) ::usleep(300);
    {
      const UniqueFd writer(static_cast<int>(client.open("/w/fifo", O_WRONLY)));
      REQUIRE(writer);
      CHECK((::fcntl(writer.get(), F_GETFL) & O_NONBLOCK) == 0);
      CHECK(::write(writer.get(), "data", 4) == 4);
    }
    reader.join();
    REQUIRE(got == "data");
  }
}

TEST_CASE("a writer that comes and goes is noticed by a reader that was slow to wait") {
  Fifo fifo;
  const Client client = fifo.running.start();
  const UniqueFd reader = begin_open(client, "/w/fifo", O_RDONLY);
  UniqueFd(::open(fifo.scratch.path("w/fifo").c_str(), O_WRONLY | O_NONBLOCK));
  CHECK(reply_on(reader.get()) == "Okay");
}

TEST_CASE("a FIFO opened without waiting is the kernel's business alone") {
  Fifo fifo;
  const Client client = fifo.running.start();
  CHECK(client.open("/w/fifo", O_WRONLY | O_NONBLOCK) == -ENXIO);
  const UniqueFd reader(static_cast<int>(client.open("/w/fifo", O_RDONLY | O_NONBLOCK)));
  CHECK(reader);
  CHECK(UniqueFd(static_cast<int>(client.open("/w/fifo", O_WRONLY))));
  CHECK(UniqueFd(static_cast<int>(client.open("/w/fifo", O_RDWR))));
}

TEST_CASE("who has a FIFO open is alone in it: the server is in it no more") {
  Fifo fifo;
  const Client client = fifo.running.start();
  const std::string name = fifo.scratch.path("w/fifo");
  for (int i = 0; i < 2000; ++i) {
    const long reader = client.open("/w/fifo", O_RDONLY | O_NONBLOCK);
    REQUIRE(reader >= 0);
    ::close(static_cast<int>(reader));
    const UniqueFd writer(::open(name.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    REQUIRE_FALSE(writer);
  }
  for (int i = 0; i < 200; ++i) {
    std::atomic<long> waited{-1};
    std::thread caller([&] { waited = client.open("/w/fifo", O_WRONLY); });
    const UniqueFd reader(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
    caller.join();
    REQUIRE(waited >= 0);
    ::close(static_cast<int>(waited.load()));
    char byte;
    REQUIRE(::fcntl(reader.get(), F_SETFL, O_NONBLOCK) == 0);
    REQUIRE(::read(reader.get(), &byte, 1) == 0);
  }
}

TEST_CASE("a call that waits can be cancelled, and is then not carried out") {
  Fifo fifo;
  const Client client = fifo.running.start();
  for (const std::uint64_t flags : {std::uint64_t{O_RDONLY}, std::uint64_t{O_WRONLY}}) {
    const UniqueFd call = begin_open(client, "/w/fifo", flags);
    REQUIRE(send_packet_to(call.get(), packet(header_of(code_cancel, 0))) == 0);
    CHECK(reply_on(call.get()) == std::to_string(EINTR));
    CHECK(reply_on(call.get()) == "end");
  }
  // The server has left the FIFO on both sides.
  CHECK(client.open("/w/fifo", O_WRONLY | O_NONBLOCK) == -ENXIO);
}

TEST_CASE("anything but a cancellation ends the call without an answer") {
  Fifo fifo;
  const Client client = fifo.running.start();
  const UniqueFd call = begin_open(client, "/w/fifo", O_RDONLY);
  REQUIRE(send_packet_to(call.get(), packet(header_of(methods::Ping::code, 0))) == 0);
  CHECK(reply_on(call.get()) == "end");
}

TEST_CASE("a signal in the caller interrupts the wait") {
  struct sigaction action {};
  action.sa_handler = do_nothing;
  REQUIRE(::sigaction(SIGUSR1, &action, nullptr) == 0);
  Fifo fifo;
  const Client client = fifo.running.start();
  std::atomic<long> result{1};
  std::thread caller([&] { result = client.open("/w/fifo", O_RDONLY); });
  while (result == 1) {
    ::pthread_kill(caller.native_handle(), SIGUSR1);
    ::usleep(10'000);
  }
  caller.join();
  CHECK(result == -EINTR);
}

TEST_CASE("callers that go away take their calls with them") {
  Fifo fifo;
  const Client client = fifo.running.start();
  CHECK(client.open("/none") == -ENOENT);
  const int before = baseline_descriptors();
  {
    std::vector<UniqueFd> calls;
    for (int i = 0; i < 100; ++i) calls.push_back(begin_open(client, "/w/fifo", O_WRONLY));
  }
  CHECK(settled_descriptors(before) <= before);
}

TEST_CASE("calls that wait are bounded") {
  server::Options options;
  options.limits.sandbox.max_blocked_calls = 3;
  Fifo fifo(options);
  const Client client = fifo.running.start();
  std::vector<UniqueFd> calls;
  for (int i = 0; i < 3; ++i) calls.push_back(begin_open(client, "/w/fifo", O_WRONLY));
  CHECK(client.open("/w/fifo", O_WRONLY) == -EAGAIN);
}
