// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Messages that do not decode, are never finished or never read, and random ones.
#include <sys/resource.h>

#include <random>

#include "tests/tools/server/raw_message.h"

using namespace plash;
using namespace plash::testing;

namespace {

std::string number(int value) { return std::to_string(value); }

// An Echo of size bytes, and whether they came back.
bool echoes(int object, std::size_t size) {
  std::string data(size, '\0');
  for (std::size_t i = 0; i < size; ++i) data[i] = static_cast<char>(i * 131 >> 3);
  const std::uint64_t words[2] = {size, 0};
  const Bytes part = bytes(data);
  std::uint64_t reply_words[2] = {};
  std::string tail(size, '\0');
  Call message;
  message.code = methods::Echo::code;
  message.words = words;
  message.word_count = 2;
  message.parts = &part;
  message.part_count = 1;
  message.reply_words = reply_words;
  message.reply_word_count = 2;
  message.reply_tail = {tail.data(), tail.size()};
  return call(object, message) == 0 && tail == data;
}

// The first packet of an Echo of total bytes.
std::string begin_echo(std::size_t size, std::size_t total) {
  PacketHeader header = header_of(methods::Echo::code, size);
  header.total_size = total;
  return packet(header, std::string(size, '\0'));
}

}  // namespace

TEST_CASE("a payload that does not decode is EINVAL, a method of another object ENOSYS") {
  const Scratch scratch;
  Running running(scratch);
  const Client client = running.start();
  const UniqueFd directory = client.open_directory("/w");
  const auto send = [&](std::uint32_t code, const std::string &payload,
                        const std::vector<int> &descriptors = {}) {
    PacketHeader header = header_of(code, payload.size());
    header.descriptor_count = header.descriptor_total =
        static_cast<std::uint16_t>(descriptors.size());
    return answer_to(client.fs_op(), packet(header, payload), descriptors);
  };
  const std::uint32_t open = methods::Open::code;
  const std::string zeros(6 * 8, '\0');
  CHECK(send(open, zeros) == number(ENOENT));  // a string of length 0
  CHECK(send(open, zeros.substr(1)) == number(EINVAL));
  CHECK(send(open, zeros + "x") == number(EINVAL));
  std::string words = zeros;
  words[0] = 1;  // base: a descriptor that did not come
  CHECK(send(open, words) == number(EINVAL));
  words[0] = 2;
  CHECK(send(open, words, {directory.get()}) == number(EINVAL));
  words[0] = 0;  // a descriptor that nothing names
  CHECK(send(open, words, {directory.get()}) == number(EINVAL));
  words[8] = 3;  // path
  CHECK(send(open, words + "/w") == number(EINVAL));
  CHECK(send(open, words + std::string("/\0w", 3)) == number(EINVAL));
  for (const std::size_t byte : {11u, 15u}) {
    std::string huge = zeros;
    huge[byte] = '\x80';
    CHECK(send(open, huge + "/w") == number(EINVAL));
  }
  CHECK(send(methods::SyncDirectory::code, std::string(8, '\0')) == number(ENOSYS));
  CHECK(answer_to(directory.get(), packet(header_of(methods::Ping::code, 0))) == number(ENOSYS));
}

TEST_CASE("later packets that are out of order, empty or another message's end the call") {
  server::Server server;
  const UniqueFd object = server.make_echo();
  server.start();
  const auto run = [&](auto change) {
    const UniqueFd reply = begin_call(object.get(), begin_echo(20, 40));
    PacketHeader second = header_of(methods::Echo::code, 20);
    second.total_size = 40;
    second.offset = 20;
    std::string rest(20, '\0');
    change(second, rest);
    REQUIRE(send_packet_to(reply.get(), packet(second, rest)) == 0);
    return reply_on(reply.get());
  };
  // Complete, and then no valid Echo: the words ask for nothing, and 24 bytes are left over.
  CHECK(run([](PacketHeader &, std::string &) {}) == number(EINVAL));
  CHECK(run([](PacketHeader &header, std::string &) { header.offset = 19; }) == "end");
  CHECK(run([](PacketHeader &header, std::string &) { header.offset = 21; }) == "end");
  CHECK(run([](PacketHeader &header, std::string &) { header.total_size = 41; }) == "end");
  CHECK(run([](PacketHeader &header, std::string &) { header.code = code_cancel; }) == "end");
  CHECK(run([](PacketHeader &header, std::string &) { header.descriptor_count = 1; }) == "end");
  CHECK(run([](PacketHeader &header, std::string &rest) {
          rest.clear();
          header.size = 0;
        }) == "end");
  CHECK(run([](PacketHeader &header, std::string &rest) {
          rest.resize(21);
          header.size = 21;
        }) == "end");
}

TEST_CASE("large messages that are never finished are bounded in number, and time out") {
  server::Options options;
  options.limits.sandbox.max_assemblies = 10;
  options.limits.assembly_timeout_seconds = 1;
  server::Server server(options);
  const UniqueFd object = server.make_echo();
  server.start();
  const int before = baseline_descriptors();
  std::vector<UniqueFd> calls;
  for (int i = 0; i < 100; ++i) calls.push_back(begin_call(object.get(), begin_echo(1000, 2000)));
  // The oldest make room for the newer ones at once, the last ten for nobody.
  CHECK(reply_on(calls[0].get(), 700) == "end");
  CHECK(echoes(object.get(), 500'000));
  for (const UniqueFd &reply : calls) CHECK(reply_on(reply.get()) == "end");
  calls.clear();
  CHECK(settled_descriptors(before) <= before);
}

TEST_CASE("memory for unfinished messages is bounded: the oldest give way") {
  server::Options options;
  options.limits.sandbox.max_bytes = 10 * max_fragment_size;
  server::Server server(options);
  const UniqueFd object = server.make_echo();
  server.start();
  std::vector<UniqueFd> calls;
  for (int i = 0; i < 20; ++i)
    calls.push_back(begin_call(object.get(), begin_echo(max_fragment_size, max_message_size)));
  int ended = 0;
  for (const UniqueFd &reply : calls)
    if (reply_on(reply.get(), 100) == "end") ++ended;
  CHECK(ended == 10);
  CHECK(echoes(object.get(), 3 * max_fragment_size));
}

TEST_CASE("a large reply that nobody reads is given up") {
  server::Options options;
  options.limits.assembly_timeout_seconds = 1;
  server::Server server(options);
  const UniqueFd object = server.make_echo();
  server.start();
  const int before = baseline_descriptors();
  const std::uint64_t size = 4'000'000;
  std::string payload(16, '\0');
  std::memcpy(payload.data(), &size, sizeof size);
  payload.append(size, 'x');
  UniqueFd reply;
  for (std::size_t at = 0; at < payload.size(); at += max_fragment_size) {
    const std::string part = payload.substr(at, max_fragment_size);
    PacketHeader header = header_of(methods::Echo::code, part.size());
    header.total_size = payload.size();
    header.offset = at;
    if (at == 0) {
      reply = begin_call(object.get(), packet(header, part));
    } else {
      REQUIRE(send_packet_to(reply.get(), packet(header, part)) == 0);
    }
  }
  CHECK(settled_descriptors(before + 1) <= before + 1);
}

TEST_CASE("replies that nobody takes cost nothing but themselves") {
  const Scratch scratch;
  Running running(scratch);
  const Client client = running.start();
  const std::string ping = packet(header_of(methods::Ping::code, 0));
  const int before = baseline_descriptors();
  for (int i = 0; i < 2000; ++i) {
    SocketPair reply;
    REQUIRE(send_packet_to(client.fs_op(), ping, {reply.send_end.get()}) == 0);
    if (i % 3 == 0) ::shutdown(reply.receive_end.get(), SHUT_RD);
    const int smallest = 1;
    if (i % 3 == 1)
      ::setsockopt(reply.send_end.get(), SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest);
  }
  CHECK(answer_to(client.fs_op(), ping) == "Okay");
  CHECK(settled_descriptors(before) <= before);
}

TEST_CASE("random packets do no harm") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("w/file", "text");
  const Client client = running.start();
  const int before = baseline_descriptors();
  UniqueFd directory = client.open_directory("/w");
  std::minstd_rand random(7);
  std::vector<std::uint32_t> codes{code_okay, code_cancel, 0};
  for_each_method([&]<class M>() { codes.push_back(M::code); });
  for (int i = 0; i < 30'000; ++i) {
    PacketHeader header = header_of(codes[random() % codes.size()], random() % 200);
    std::string payload(header.size, '\0');
    for (char &c : payload)
      if (random() % 4 == 0) c = static_cast<char>(random() % 8 == 0 ? random() : random() % 3);
    const SocketPair reply;
    std::vector<int> descriptors{reply.send_end.get()};
    header.descriptor_count = header.descriptor_total = static_cast<std::uint16_t>(random() % 3);
    descriptors.resize(1u + header.descriptor_count, directory.get());
    std::string bytes = packet(header, payload);
    if (random() % 4 == 0) bytes[random() % bytes.size()] ^= static_cast<char>(1u << random() % 8);
    const int object = random() % 4 == 0 ? directory.get() : client.fs_op();
    REQUIRE(send_packet_to(object, bytes, descriptors) == 0);
  }
  CHECK(client.read("/w/file") == "text");
  directory.reset();
  CHECK(settled_descriptors(before) <= before);
}

TEST_CASE("a server without descriptors for more objects says ENFILE, and recovers") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("w/file", "text");
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const rlim_t old = std::exchange(limit.rlim_cur, 512);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  const Client client = running.start();
  std::vector<UniqueFd> directories;
  long result = 0;
  while (result >= 0) {
    result = client.open("/w", O_RDONLY | O_DIRECTORY);
    if (result >= 0) directories.emplace_back(static_cast<int>(result));
  }
  CHECK(result == -ENFILE);
  CHECK(client.read("/w/file") == "text");
  directories.clear();
  for (int i = 0; i < 100 && result < 0; ++i) {
    ::usleep(10'000);
    result = client.open("/w", O_RDONLY | O_DIRECTORY);
  }
  CHECK(result >= 0);
  ::close(static_cast<int>(result));
  limit.rlim_cur = old;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
}
