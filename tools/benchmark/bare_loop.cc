// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/benchmark/bare_loop.h"

#include <signal.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace plash::benchmark {
namespace {

struct Message {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  char bytes[64] = {};
  iovec vector{bytes, sizeof bytes};
  msghdr header{};
  Message() {
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
  }
};

[[noreturn]] void serve(int socket) {
  for (;;) {
    Message request;
    if (::recvmsg(socket, &request.header, MSG_CMSG_CLOEXEC) <= 0) ::_exit(0);
    int reply_socket;
    std::memcpy(&reply_socket, CMSG_DATA(CMSG_FIRSTHDR(&request.header)), sizeof reply_socket);
    char byte = 0;
    ::send(reply_socket, &byte, 1, MSG_NOSIGNAL);
    ::close(reply_socket);
  }
}

}  // namespace

BareServer::BareServer(unsigned processes) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    throw std::system_error(errno, std::generic_category(), "socketpair");
  }
  while (processes_.size() < processes) {
    processes_.push_back(::fork());
    if (processes_.back() == 0) {
      ::close(pair[0]);
      serve(pair[1]);
    }
  }
  ::close(pair[1]);
  socket_.reset(pair[0]);
}

BareServer::~BareServer() {
  socket_.reset();
  for (const pid_t process : processes_) {
    ::kill(process, SIGKILL);
    ::waitpid(process, nullptr, 0);
  }
}

void bare_call(int socket) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return;
  Message request;
  cmsghdr *rights = CMSG_FIRSTHDR(&request.header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(rights), &pair[0], sizeof(int));
  ::sendmsg(socket, &request.header, MSG_NOSIGNAL);
  ::close(pair[0]);
  Message reply;
  ::recvmsg(pair[1], &reply.header, MSG_CMSG_CLOEXEC);
  ::close(pair[1]);
}

}  // namespace plash::benchmark
