// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The life of objects and of the server, many callers at once, and the log.
#include <atomic>
#include <mutex>
#include <thread>

#include "tests/tools/server/raw_message.h"

using namespace plash;
using namespace plash::testing;

TEST_CASE("every caller gets its own reply") {
  const Scratch scratch;
  Running running(scratch);
  constexpr int threads = 8;
  constexpr int rounds = 3'000;
  for (int i = 0; i < threads; ++i) {
    scratch.write("w/file" + std::to_string(i), "text of " + std::to_string(i));
    scratch.link("w/link" + std::to_string(i), "target " + std::to_string(i));
  }
  const Client client = running.start();
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < threads; ++i) {
    callers.emplace_back([&, i] {
      const std::string name = std::to_string(i);
      for (int round = 0; round < rounds; ++round) {
        if (client.read("/w/file" + name) != "text of " + name) ++wrong;
        if (client.readlink("/w/link" + name) != "target " + name) ++wrong;
        methods::Stat::Reply status;
        if (client.stat("/w/none" + name, status) != -ENOENT) ++wrong;
        const UniqueFd directory(static_cast<int>(client.open("/w", O_RDONLY | O_DIRECTORY)));
        if (Client::path_of(directory.get()) != "/w") ++wrong;
      }
    });
  }
  for (std::thread &caller : callers) caller.join();
  CHECK(wrong == 0);
}

TEST_CASE("more namespaces than have workers of their own are served, and their places reused") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("w/file", "text");
  const Client first = running.start();
  const int before = baseline_descriptors();
  for (int round = 0; round < 3; ++round) {
    std::vector<Client> clients;
    for (int i = 0; i < 20; ++i)
      clients.emplace_back(running.server.make_fs_op(running.name_space));
    for (const Client &client : clients) CHECK(client.read("/w/file") == "text");
    clients.clear();
    CHECK(settled_descriptors(before) <= before);
  }
  CHECK(first.read("/w/file") == "text");
}

TEST_CASE("an object closed right behind its last messages is freed, and they are answered") {
  const Scratch scratch;
  Running running(scratch);
  const Client client = running.start();
  const int before = baseline_descriptors();
  const std::string request =
      packet(header_of(methods::SyncDirectory::code, 8), std::string("\1\0\0\0\0\0\0\0", 8));
  for (int i = 0; i < 300; ++i) {
    UniqueFd directory = client.open_directory("/");
    std::vector<UniqueFd> calls;
    for (int k = 0; k < 3; ++k) calls.push_back(begin_call(directory.get(), request));
    // An empty packet looks like the end, and is none.
    if (i % 2 == 0) ::send(directory.get(), "", 0, MSG_NOSIGNAL);
    directory.reset();
    for (const UniqueFd &call : calls) REQUIRE(reply_on(call.get()) == "Okay");
  }
  CHECK(settled_descriptors(before) <= before);
}

TEST_CASE("the descriptor count is the same after 100,000 calls") {
  const Scratch scratch;
  Running running(scratch);
  scratch.write("w/file", "text");
  const Client client = running.start();
  const UniqueFd directory = client.open_directory("/w");
  const int before = baseline_descriptors();
  int wrong = 0;
  for (int i = 0; i < 25'000; ++i) {
    methods::Stat::Reply status;
    if (client.stat("/w/file", status) != 0) ++wrong;
    if (client.open("/w/none") != -ENOENT) ++wrong;
    if (!UniqueFd(static_cast<int>(client.open("file", O_RDONLY, 0, directory.get())))) ++wrong;
    if (!UniqueFd(static_cast<int>(client.open("/", O_RDONLY | O_DIRECTORY)))) ++wrong;
  }
  CHECK(wrong == 0);
  CHECK(settled_descriptors(before) <= before);
}

TEST_CASE("a server that ends leaves nothing behind, whatever is under way") {
  const Scratch scratch;
  const int before = baseline_descriptors();
  {
    Running running(scratch);
    REQUIRE(::mkfifo(scratch.path("w/fifo").c_str(), 0600) == 0);
    const Client client = running.start();
    const UniqueFd directory = client.open_directory("/w");
    PacketHeader first = header_of(methods::Ping::code, 1);
    first.total_size = 100;
    const UniqueFd unfinished = begin_call(client.fs_op(), packet(first, "x"));
    std::string payload(6 * 8, '\0');
    payload[8] = 7;
    const UniqueFd waiting =
        begin_call(client.fs_op(),
                   packet(header_of(methods::Open::code, payload.size() + 7), payload + "/w/fifo"));
    CHECK(reply_on(waiting.get()) == "Wait");
  }
  CHECK(open_descriptors() <= before);
}

TEST_CASE("the log has one line for each call, safe to print") {
  const Scratch scratch;
  std::mutex mutex;
  std::vector<std::string> lines;
  server::Options options;
  options.log = [&](const std::string &line) {
    const std::lock_guard lock(mutex);
    lines.push_back(line);
  };
  Running running(scratch, options);
  const Client client = running.start();
  CHECK(client.open("/w/\n\x1b[31m\"\\") == -ENOENT);
  const std::lock_guard lock(mutex);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("Open(") == 0);
  CHECK(lines[0].find("path=\"/w/\\x0a\\x1b[31m\\\"\\\\\"") != std::string::npos);
  CHECK(lines[0].find(" = ENOENT") != std::string::npos);
}
