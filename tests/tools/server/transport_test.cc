// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Messages of every size, and what a server does about those that are none.
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "tests/support/raw_packet.h"
#include "tests/tools/server/fixture.h"

using namespace plash;
using namespace plash::testing;

namespace {

int descriptors_after_a_while(int expected) {
  for (int i = 0; i < 300 && open_descriptors() > expected; ++i) ::usleep(10'000);
  return open_descriptors();
}

struct Pair {
  UniqueFd first;
  UniqueFd second;
  explicit Pair(int type = SOCK_SEQPACKET) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) == 0);
    first.reset(ends[0]);
    second.reset(ends[1]);
  }
};

PacketHeader ping_header() { return header_of(methods::Ping::code, 0); }

// What comes back on a reply socket: "end of file", "okay", "errno N", or "nothing" within two
// seconds.
std::string answer(int socket) {
  timeval patience{2, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  char buffer[256];
  const ssize_t size = ::recv(socket, buffer, sizeof buffer, 0);
  if (size == 0) return "end of file";
  if (size < 0) return errno == EAGAIN ? "nothing" : "end of file";
  PacketHeader header;
  std::memcpy(&header, buffer, sizeof header);
  if (header.code == code_okay) return "okay";
  std::uint64_t error = 0;
  if (header.code == code_fail) std::memcpy(&error, buffer + sizeof header, sizeof error);
  return "errno " + std::to_string(error);
}

std::string ask_raw(int object, const std::string &bytes, const std::vector<int> &more = {}) {
  Pair reply;
  std::vector<int> descriptors{reply.first.get()};
  descriptors.insert(descriptors.end(), more.begin(), more.end());
  send_packet_to(object, bytes, descriptors);
  reply.first.reset();
  return answer(reply.second.get());
}

bool alive(const Client &client) {
  methods::Ping::Reply reply;
  return invoke<methods::Ping>(client.fs_op(), {}, reply) == 0;
}

}  // namespace

TEST_CASE("requests and replies of any size and number of descriptors come back as they were") {
  server::Server server;
  const UniqueFd echo = server.make_echo();
  server.start();
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  std::vector<char> control(max_control_size);
  for (const std::size_t size :
       {0u, 1u, 65'000u, 65'496u, 65'497u, 200'000u, 1u << 20, 64u << 20}) {
    for (const std::size_t count : {0u, 1u, 252u, 253u, 254u, 600u, 1024u}) {
      if (size == 64u << 20 && count != 0 && count != 1024) continue;
      INFO(size << " bytes, " << count << " descriptors");
      std::string data(size - (size == 64u << 20 ? 16 : 0), '\0');
      for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 131 >> 3);
      const std::vector<int> numbers(count, null.get());
      const Bytes part = bytes(data);
      const std::uint64_t words[2] = {data.size(), count};
      std::uint64_t reply_words[2] = {};
      std::string received(data.size(), 'x');
      std::vector<int> received_numbers(count + 1, -1);
      const int before = open_descriptors();
      Call call;
      call.code = methods::Echo::code;
      call.words = words;
      call.word_count = 2;
      call.parts = &part;
      call.part_count = 1;
      call.many_descriptors = {numbers.data(), numbers.size()};
      call.reply_words = reply_words;
      call.reply_word_count = 2;
      call.reply_tail = {received.data(), received.size()};
      call.reply_descriptors = received_numbers.data();
      call.reply_descriptor_count = static_cast<std::uint32_t>(count);
      call.control = control.data();
      call.control_size = control.size();
      REQUIRE(plash::call(echo.get(), call) == 0);
      CHECK(received == data);
      CHECK(reply_words[1] == count);
      REQUIRE(call.reply_descriptor_count == count);
      for (std::size_t i = 0; i < count; ++i) ::close(received_numbers[i]);
      CHECK(descriptors_after_a_while(before) <= before);
    }
  }
}

TEST_CASE("large requests of many senders on one object do not mix") {
  server::Server server;
  const UniqueFd echo = server.make_echo();
  server.start();
  std::vector<std::thread> senders;
  std::atomic<int> wrong{0};
  for (int s = 0; s < 8; ++s) {
    senders.emplace_back([&, s] {
      for (int i = 0; i < 40; ++i) {
        const std::string data(static_cast<std::size_t>(300'000 + s * 1000 + i),
                               static_cast<char>('a' + s));
        const Bytes part = bytes(data);
        const std::uint64_t words[2] = {data.size(), 0};
        std::uint64_t reply_words[2];
        std::string received(data.size(), '\0');
        Call call;
        call.code = methods::Echo::code;
        call.words = words;
        call.word_count = 2;
        call.parts = &part;
        call.part_count = 1;
        call.reply_words = reply_words;
        call.reply_word_count = 2;
        call.reply_tail = {received.data(), received.size()};
        if (plash::call(echo.get(), call) != 0 || received != data) ++wrong;
      }
    });
  }
  for (std::thread &sender : senders) sender.join();
  CHECK(wrong == 0);
}

TEST_CASE("malformed messages are answered as the specification says, and hurt nobody") {
  const Scratch scratch;
  Running running(scratch);
  const Client client = running.start();
  const int object = client.fs_op();
  REQUIRE(ask_raw(object, packet(ping_header())) == "okay");
  const int before = open_descriptors();
  const auto with = [](auto change) {
    PacketHeader header = ping_header();
    change(header);
    return packet(header);
  };
  CHECK(ask_raw(object, "x") == "end of file");
  CHECK(ask_raw(object, std::string(39, 'x')) == "end of file");
  CHECK(ask_raw(object, std::string(64, 'x')) == "end of file");
  CHECK(ask_raw(object, with([](PacketHeader &h) { h.magic = 0; })) == "end of file");
  CHECK(ask_raw(object, with([](PacketHeader &h) { h.version = 7; })) == "end of file");
  CHECK(ask_raw(object, with([](PacketHeader &h) { h.sequence = 1; })) == "end of file");
  CHECK(ask_raw(object, with([](PacketHeader &h) { h.size = 8; })) == "end of file");
  CHECK(ask_raw(object, with([](PacketHeader &h) { h.offset = 8; })) == "end of file");
  CHECK(ask_raw(object, with([](PacketHeader &h) { h.descriptor_count = 1; })) == "end of file");
  CHECK(ask_raw(object, packet(ping_header()) + std::string(70'000, 'x')) == "end of file");
  CHECK(ask_raw(object, packet(ping_header()), {0}) == "end of file");
  CHECK(ask_raw(object, with([](PacketHeader &h) { h.code = code_of("None"); })) ==
        "errno " + std::to_string(ENOSYS));
  CHECK(ask_raw(object, with([](PacketHeader &h) { h.code = methods::Echo::code; })) ==
        "errno " + std::to_string(ENOSYS));
  CHECK(ask_raw(object, with([](PacketHeader &h) { h.code = methods::Open::code; })) ==
        "errno " + std::to_string(EINVAL));
  CHECK(ask_raw(object, with([](PacketHeader &h) { h.total_size = std::uint64_t{1} << 40; })) ==
        "errno " + std::to_string(E2BIG));
  CHECK(ask_raw(object, with([](PacketHeader &h) { h.total_size = ~std::uint64_t{0}; })) ==
        "errno " + std::to_string(E2BIG));
  CHECK(ask_raw(object, with([](PacketHeader &h) { h.descriptor_total = 1025; })) ==
        "errno " + std::to_string(E2BIG));
  send_packet_to(object, "", {});
  CHECK(descriptors_after_a_while(before) <= before);
  CHECK(alive(client));
}

TEST_CASE("a reply goes to a sequenced-packet socket of the caller's, and to nothing else") {
  const Scratch scratch;
  Running running(scratch);
  const Client client = running.start();
  const UniqueFd directory = client.open_directory("/r");
  const int before = open_descriptors();
  {
    scratch.write("file", "untouched");
    const UniqueFd file(::open(scratch.path("file").c_str(), O_RDWR | O_CLOEXEC));
    int pipe_ends[2];
    REQUIRE(::pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK) == 0);
    const UniqueFd pipe_reader(pipe_ends[0]);
    const UniqueFd pipe_writer(pipe_ends[1]);
    const Pair stream(SOCK_STREAM);
    const Pair datagram(SOCK_DGRAM);
    const UniqueFd internet(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    for (const int odd : {file.get(), pipe_writer.get(), stream.first.get(), datagram.first.get(),
                          internet.get(), directory.get()}) {
      send_packet_to(client.fs_op(), packet(ping_header()), {odd});
    }
    send_packet_to(client.fs_op(), packet(ping_header()), {});
    REQUIRE(alive(client));
    ::usleep(50'000);
    char byte;
    CHECK(::read(pipe_reader.get(), &byte, 1) == -1);
    CHECK(::recv(stream.second.get(), &byte, 1, MSG_DONTWAIT) == -1);
    CHECK(::recv(datagram.second.get(), &byte, 1, MSG_DONTWAIT) == -1);
    CHECK(contents(file.get()) == "untouched");
  }
  CHECK(client.open("x", O_RDONLY, 0, directory.get()) == -ENOENT);
  CHECK(descriptors_after_a_while(before) <= before);
}

TEST_CASE("a forged socket pair is no directory") {
  const Scratch scratch;
  Running running(scratch);
  const Client client = running.start();
  const Pair forged;
  ::setsockopt(forged.first.get(), SOL_SOCKET, SO_RCVLOWAT, &directory_object_tag,
               sizeof directory_object_tag);
  CHECK(client.open("x", O_RDONLY, 0, forged.first.get()) == -EINVAL);
}

TEST_CASE("calls that wait for somebody do not keep others waiting") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("w/file", "text");
  REQUIRE(::mkfifo(scratch.path("w/fifo").c_str(), 0600) == 0);
  const Client client = running.start();
  std::vector<std::thread> waiting;
  std::atomic<int> opened{0};
  for (int i = 0; i < 100; ++i) {
    waiting.emplace_back([&] {
      const UniqueFd fd(static_cast<int>(client.open("/w/fifo", O_RDONLY)));
      if (fd) ++opened;
    });
  }
  ::usleep(200'000);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 200; ++i) CHECK(client.read("/w/file") == "text");
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
  const UniqueFd writer(::open(scratch.path("w/fifo").c_str(), O_WRONLY | O_CLOEXEC));
  for (std::thread &thread : waiting) thread.join();
  CHECK(opened == 100);
}

TEST_CASE("an object is freed when its last holder closes it, and there can be thousands") {
  const Scratch scratch;
  Running running(scratch);
  const Client client = running.start();
  const int before = open_descriptors();
  {
    std::vector<UniqueFd> directories;
    for (int i = 0; i < 3000; ++i) directories.push_back(client.open_directory("/r"));
    const UniqueFd copy(::dup(directories[7].get()));
    directories.clear();
    CHECK(Client::path_of(copy.get()) == "/r");
  }
  CHECK(descriptors_after_a_while(before) <= before);
}

TEST_CASE("the limit of objects gives EMFILE, and room again when some are closed") {
  const Scratch scratch;
  server::Options options;
  options.limits.sandbox.max_objects = 10;
  Running running(scratch, options);
  const Client client = running.start();
  std::vector<UniqueFd> directories;
  for (int i = 0; i < 9; ++i) directories.push_back(client.open_directory("/r"));
  CHECK(client.open("/r", O_RDONLY) == -EMFILE);
  directories.clear();
  long fd = -1;
  for (int i = 0; i < 200 && fd < 0; ++i) {
    ::usleep(10'000);
    fd = client.open("/r", O_RDONLY);
  }
  CHECK(fd >= 0);
}

TEST_CASE("a large request that is never finished is dropped") {
  const Scratch scratch;
  server::Options options;
  options.limits.assembly_timeout_seconds = 1;
  Running running(scratch, options);
  const Client client = running.start();
  PacketHeader header = ping_header();
  header.total_size = 1 << 20;
  Pair reply;
  send_packet_to(client.fs_op(), packet(header), {reply.first.get()});
  reply.first.reset();
  timeval patience{5, 0};
  ::setsockopt(reply.second.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  char byte;
  CHECK(::recv(reply.second.get(), &byte, 1, 0) == 0);
  CHECK(alive(client));
}
