// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/benchmark/server_process.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "tools/benchmark/commands.h"
#include "tools/server/server.h"

namespace plash::benchmark {
namespace {

struct Packet {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  char byte = 0;
  iovec vector{&byte, 1};
  msghdr header{};
  Packet() {
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
  }
};

void send_descriptor(int channel, int descriptor) {
  Packet packet;
  cmsghdr *rights = CMSG_FIRSTHDR(&packet.header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
  if (::sendmsg(channel, &packet.header, MSG_NOSIGNAL) != 1) fail("sendmsg");
}

UniqueFd receive_descriptor(int channel) {
  Packet packet;
  if (::recvmsg(channel, &packet.header, MSG_CMSG_CLOEXEC) != 1) fail("no answer of the server");
  const cmsghdr *rights = CMSG_FIRSTHDR(&packet.header);
  if (rights == nullptr) throw std::runtime_error("no room for a descriptor");
  int descriptor;
  std::memcpy(&descriptor, CMSG_DATA(rights), sizeof descriptor);
  return UniqueFd(descriptor);
}

void serve(int channel, const std::string &directory, int sandboxes) {
  server::Options options;
  options.limits.sandbox.max_objects = options.limits.total.max_objects = 1'000'000;
  server::Server server(options);
  server.start();
  send_descriptor(channel, server.make_echo().get());
  for (int i = 0; i < sandboxes; ++i) {
    auto name_space = std::make_shared<server::Namespace>();
    name_space->grant(directory, directory, {});
    send_descriptor(channel, server.make_fs_op(name_space).get());
  }
  char byte;
  while (::read(channel, &byte, 1) > 0) continue;
}

}  // namespace

ServerProcess::ServerProcess(const std::string &directory, int sandboxes) {
  int channel[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) != 0) fail("socketpair");
  channel_.reset(channel[0]);
  process_ = ::fork();
  if (process_ == 0) {
    channel_.reset();
    try {
      serve(channel[1], directory, sandboxes);
    } catch (const std::exception &error) {
      std::fprintf(stderr, "bench-calls: server: %s\n", error.what());
      ::_exit(1);
    }
    ::_exit(0);
  }
  ::close(channel[1]);
  if (process_ < 0) fail("fork");
  try {
    echo_ = receive_descriptor(channel_.get());
    for (int i = 0; i < sandboxes; ++i) fs_ops_.push_back(receive_descriptor(channel_.get()));
  } catch (...) {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    throw;
  }
}

ServerProcess::~ServerProcess() {
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

double ServerProcess::memory() const {
  std::ifstream file("/proc/" + std::to_string(process_) + "/smaps_rollup");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    double value;
    if (words >> name >> value && name == "Anonymous:") return value;
  }
  throw std::runtime_error("smaps_rollup says nothing of anonymous memory");
}

}  // namespace plash::benchmark
