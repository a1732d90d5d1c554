// SPDX-License-Identifier: LGPL-2.1-or-later
//
// usage: bench-calls DIRECTORY plain|kept
//
// Measures the project's own call without any door, with a server of its own over DIRECTORY, and
// beside it the loops of bare system calls that it is held against. kept: calls go over kept
// sessions (PLASH_CALL).
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "protocol/call.h"
#include "shim/engine/engine.h"
#include "shim/engine/location.h"
#include "tools/benchmark/bare_loop.h"
#include "tools/benchmark/path_commands.h"
#include "tools/benchmark/ping_pong.h"
#include "tools/benchmark/server_process.h"

namespace plash::benchmark {
namespace {

constexpr int service_number = 1020;

long word(const void *pointer) { return reinterpret_cast<long>(pointer); }

const PathCalls engine_calls = {
    .open = [](const char *path,
               int flags) { return plash_syscall(SYS_open, word(path), flags, 0, 0, 0, 0); },
    .close = [](int fd) { return plash_syscall(SYS_close, fd, 0, 0, 0, 0, 0); },
    .stat =
        [](const char *path) {
          struct stat status;
          return plash_syscall(SYS_stat, word(path), word(&status), 0, 0, 0, 0);
        },
    .access = [](const char *path) { return plash_syscall(SYS_access, word(path), 4, 0, 0, 0, 0); },
    .readlink =
        [](const char *path) {
          char target[256];
          return plash_syscall(SYS_readlink, word(path), word(target), sizeof target, 0, 0, 0);
        },
    .read_directory =
        [](int fd, char *buffer, std::size_t size) {
          return plash_syscall(SYS_getdents64, fd, word(buffer), static_cast<long>(size), 0, 0, 0);
        },
};

// As many as may be: 100,000 objects take two descriptors each, and of two sandboxes a server lets
// neither have more objects than a quarter of its descriptors.
void raise_descriptor_limit() {
  rlimit limit{900'000, 900'000};
  if (::setrlimit(RLIMIT_NOFILE, &limit) == 0) return;
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void set_up_engine(int fs_op, const std::string &call) {
  if (::dup2(fs_op, service_number) < 0) fail("dup2");
  static std::string capabilities = "PLASH_CAPS=fs_op=" + std::to_string(service_number);
  static std::string kind = "PLASH_CALL=" + call;
  char *environment[] = {capabilities.data(), kind.data(), nullptr};
  plash_setup(environment, false);
}

void ping(int fs_op) {
  methods::Ping::Reply reply;
  const long result = invoke<methods::Ping>(fs_op, {}, reply);
  if (result != 0) fail("Ping", result);
}

void stat_through(int fs_op, const std::string &path) {
  methods::Stat::Request request;
  request.base = -1;
  request.path = {path.data(), path.size()};
  methods::Stat::Reply reply;
  const long result = invoke<methods::Stat>(fs_op, request, reply);
  if (result != 0) fail("Stat", result);
}

void echo(int object, const std::string &data, std::string &room) {
  methods::Echo::Request request;
  request.data = {data.data(), data.size()};
  const Encoded<methods::Echo::Request> encoded(request);
  std::uint64_t words[4];
  Call message;
  message.code = methods::Echo::code;
  message.words = encoded.words;
  message.word_count = encoded.counts.words;
  message.parts = encoded.parts;
  message.part_count = encoded.counts.parts;
  message.reply_words = words;
  message.reply_word_count = 2;
  message.reply_tail = {room.data(), room.size()};
  const long result = call(object, message);
  if (result != 0) fail("Echo", result);
  if (message.reply_tail.size != data.size()) throw std::runtime_error("Echo gave something else");
}

void add_bare_loops(Commands &commands) {
  commands["kernel"] = [](const Arguments &arguments) {
    return time_calls(number(arguments, 1), [] { ::syscall(SYS_getppid); });
  };
  commands["bare"] = [server = std::make_shared<BareServer>()](const Arguments &arguments) {
    return time_calls(number(arguments, 1), [&] { bare_call(server->socket()); });
  };
  for (const auto &[name, type] :
       {std::pair("stream", SOCK_STREAM), {"seqpacket", SOCK_SEQPACKET}}) {
    // By size: the processes are made when they are first wanted.
    auto pairs = std::make_shared<std::map<int, std::unique_ptr<PingPong>>>();
    commands[name] = [pairs, type](const Arguments &arguments) {
      const int size = number(arguments, 1);
      auto &pair = (*pairs)[size];
      if (!pair) pair = std::make_unique<PingPong>(type, static_cast<std::size_t>(size));
      return time_calls(number(arguments, 2), [&] { pair->round_trip(); });
    };
  }
  // What threads can come to without Plash: all at one socket that as many processes serve as there
  // are cores, and each at a connection of its own.
  commands["bare-throughput"] = [](const Arguments &arguments) {
    const BareServer server(std::max(1u, std::thread::hardware_concurrency()));
    return Numbers{calls_a_second(number(arguments, 1),
                                  std::chrono::milliseconds(number(arguments, 2)), [&](int) {
                                    bare_call(server.socket());
                                    return true;
                                  })};
  };
  commands["seqpacket-throughput"] = [](const Arguments &arguments) {
    std::vector<std::unique_ptr<PingPong>> pairs;
    for (int i = 0; i < number(arguments, 1); ++i)
      pairs.push_back(std::make_unique<PingPong>(SOCK_SEQPACKET, 40));
    return Numbers{calls_a_second(number(arguments, 1),
                                  std::chrono::milliseconds(number(arguments, 2)), [&](int thread) {
                                    pairs[static_cast<std::size_t>(thread)]->round_trip();
                                    return true;
                                  })};
  };
}

void add_server_commands(Commands &commands, const std::shared_ptr<ServerProcess> &server) {
  commands["null"] = [](const Arguments &arguments) {
    return time_calls(number(arguments, 1), [] {
      methods::Ping::Reply reply;
      const long result = engine::ask<methods::Ping>({}, reply);
      if (result != 0) fail("Ping", result);
    });
  };
  commands["echo"] = [server](const Arguments &arguments) {
    const std::string data(static_cast<std::size_t>(number(arguments, 1)), 'x');
    std::string room = data;
    return time_calls(number(arguments, 2), [&] { echo(server->echo(), data, room); });
  };
  // Opens the directory until there are that many objects.
  commands["objects"] =
      [descriptors = std::make_shared<std::vector<UniqueFd>>()](const Arguments &arguments) {
        const auto count = static_cast<std::size_t>(number(arguments, 2));
        while (descriptors->size() < count) {
          const long fd = engine_calls.open(arguments.at(1).c_str(), O_RDONLY | O_DIRECTORY);
          if (fd < 0) fail("open of a directory", fd);
          descriptors->emplace_back(static_cast<int>(fd));
        }
        return Numbers{static_cast<double>(descriptors->size())};
      };
  commands["memory"] = [server](const Arguments &) { return Numbers{server->memory()}; };
}

// Servers with a number of sandboxes, of which the calls use one after another.
void add_sandbox_commands(Commands &commands, const std::string &directory) {
  auto servers = std::make_shared<std::map<int, std::unique_ptr<ServerProcess>>>();
  const auto find = [servers, directory](const Arguments &arguments) -> ServerProcess & {
    const int count = number(arguments, 1);
    auto &server = (*servers)[count];
    if (!server) server = std::make_unique<ServerProcess>(directory, count);
    return *server;
  };
  commands["sandbox-memory"] = [find](const Arguments &arguments) {
    return Numbers{find(arguments).memory()};
  };
  commands["sandbox-null"] = [find](const Arguments &arguments) {
    const auto &fs_ops = find(arguments).fs_ops();
    std::size_t turn = 0;
    return time_calls(number(arguments, 2), [&] { ping(fs_ops[turn++ % fs_ops.size()].get()); });
  };
  commands["sandbox-stat"] = [find](const Arguments &arguments) {
    const auto &fs_ops = find(arguments).fs_ops();
    const std::string path = arguments.at(3);
    std::size_t turn = 0;
    return time_calls(number(arguments, 2),
                      [&] { stat_through(fs_ops[turn++ % fs_ops.size()].get(), path); });
  };
}

int run(const std::string &directory, const std::string &call) {
  raise_descriptor_limit();
  Commands commands;
  add_bare_loops(commands);
  const auto server = std::make_shared<ServerProcess>(directory, 1);
  set_up_engine(server->fs_ops()[0].get(), call);
  add_path_commands(commands, engine_calls);
  add_server_commands(commands, server);
  add_sandbox_commands(commands, directory);
  return obey(commands);
}

}  // namespace
}  // namespace plash::benchmark

int main(int count, char **values) {
  if (count != 3 || (std::strcmp(values[2], "plain") != 0 && std::strcmp(values[2], "kept") != 0)) {
    std::fprintf(stderr, "usage: bench-calls DIRECTORY plain|kept\n");
    return 2;
  }
  try {
    return plash::benchmark::run(values[1], values[2]);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "bench-calls: %s\n", error.what());
    return 1;
  }
}
